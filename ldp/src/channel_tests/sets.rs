// SPDX-License-Identifier: MIT OR Apache-2.0
//! PrivSet by enumeration.

use super::*;

/// All sets of at most m of d items.
fn sets(d: u32, m: u32) -> Vec<Vec<u32>> {
    (0..1_u32 << d)
        .filter(|bits| bits.count_ones() <= m)
        .map(|bits| (0..d).filter(|i| bits >> i & 1 == 1).collect())
        .collect()
}

#[test]
fn priv_set_is_its_channel_for_every_set_size() {
    for (a, b) in SMALL {
        for (d, m) in [(2, 1), (4, 1), (5, 2), (6, 3), (5, 4)] {
            let mechanism = PrivSet::new(size(d), bound(m), Weights::new(a, b).unwrap()).unwrap();
            let masks: Vec<u64> =
                (0..1_u64 << (d + m)).filter(|mask| mask.count_ones() == mechanism.subset_size()).collect();
            assert_eq!(masks.len() as u64, mechanism.channel.messages);
            let Support { p_true, p_false } = mechanism.support();
            let rows: Vec<Vec<u128>> = sets(d, m)
                .iter()
                .map(|set| {
                    let mut row = vec![0; masks.len()];
                    for u in 0..mechanism.channel.total() {
                        row[masks.binary_search(&mechanism.encode(set, u)).unwrap()] += 1;
                    }
                    let filled = (d..d + m - set.len() as u32).chain(set.iter().copied());
                    let whole = filled.fold(0_u64, |whole, item| whole | 1 << item);
                    let expected: Vec<u128> =
                        masks.iter().map(|mask| if mask & whole != 0 { a.into() } else { b.into() }).collect();
                    assert_eq!(row, expected, "d={d} m={m} set={set:?}");
                    for item in 0..d {
                        let support: u128 =
                            masks.iter().zip(&row).filter(|(mask, _)| **mask >> item & 1 == 1).map(|(_, n)| n).sum();
                        let p = support as f64 / mechanism.channel.total() as f64;
                        let stated = if set.contains(&item) { p_true } else { p_false };
                        assert!((p - stated).abs() < 1e-12, "d={d} m={m} set={set:?} item={item}: {p} {stated}");
                    }
                    row
                })
                .collect();
            assert_two_weight(&rows, a.into(), b.into());
            let apart = |p: &[u128], q: &[u128]| p.iter().zip(q).map(|(p, q)| p.saturating_sub(*q)).sum::<u128>();
            let most = rows.iter().flat_map(|p| rows.iter().map(move |q| apart(p, q))).max().unwrap();
            let variation = most as f64 / mechanism.channel.total() as f64;
            assert!((variation - mechanism.variation()).abs() < 1e-12, "d={d} m={m}: {variation}");
        }
    }
}

#[test]
fn one_item_of_d_is_subset_selection_with_one_more_value() {
    // With m = 1 the empty set is just one more value.
    for (d, e) in [(9, 1.0), (30, 2.0), (62, 0.5)] {
        let set = PrivSet::new(size(d), bound(1), epsilon(e).weights()).unwrap();
        let symbol = SubsetSelection::new(size(d + 1), epsilon(e).weights()).unwrap();
        if set.subset_size() == symbol.subset_size() {
            let (ours, theirs) = (set.support(), symbol.design.support());
            assert!((ours.p_true - theirs.p_true).abs() < 1e-12 && (ours.p_false - theirs.p_false).abs() < 1e-12);
        } else {
            assert!(set.subset_size().abs_diff(symbol.subset_size()) <= 1);
        }
    }
}

#[test]
fn set_masks_that_no_client_can_send_are_refused() {
    let weights = epsilon(1.0).weights();
    let mechanism = Mechanism::PrivSet(PrivSet::new(size(10), bound(3), weights).unwrap());
    let k = match &mechanism {
        Mechanism::PrivSet(m) => m.subset_size(),
        _ => unreachable!(),
    };
    assert_eq!(mechanism.payload_len(), 2);
    let top = (((1_u32 << k) - 1) << (13 - k)) as u16;
    let response = mechanism.decode(&top.to_le_bytes()).unwrap();
    let mut cells = Vec::new();
    mechanism.accumulate(&response, |cell| cells.push(cell)).unwrap();
    assert!(cells.iter().all(|&cell| cell < 10), "the fill is not counted: {cells:?}");
    assert_eq!(mechanism.decode(&(top << 1).to_le_bytes()), Err(ResponseError::WrongMaskWeight));
    assert_eq!(mechanism.decode(&0_u16.to_le_bytes()), Err(ResponseError::WrongMaskWeight));
    assert!(PrivSet::new(size(60), bound(5), weights).unwrap_err().to_string().contains("64"));
    assert!(PrivSet::new(size(5), bound(5), weights).is_err());
    assert!(PrivSet::new(size(63), bound(1), Epsilon::MAX.weights()).is_ok());
}
