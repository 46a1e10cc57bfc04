// SPDX-License-Identifier: MIT OR Apache-2.0
//! What one caller may ask of the recorder: token buckets a unique bus name and a user, in tables of bounded size.
//!
//! A bucket is kept as the moment at which it is full again (the virtual scheduling form of the generic cell rate algorithm,
//! ITU-T I.371): a bucket that is full says nothing, so it may be forgotten when a table has no more room.

use std::collections::{BTreeMap, HashMap};
use std::hash::Hash;

use jiff::Timestamp;

/// The most calls that one caller may make at once, and so the longest sequence: each of its entries is one.
pub(super) const BURST: u32 = 1000;
/// A user's programs together may do this many times what one of them may.
const USER_SHARE: u32 = 4;
/// The longest message, in bytes.
pub(super) const MESSAGE_LEN: usize = 64 * 1024;
/// The longest message that starts a timer, in bytes: its payload is kept while the timer runs.
pub(super) const TIMER_MESSAGE_LEN: usize = 1024;
/// The most callers, and the most users, that are remembered at once.
const REMEMBERED: usize = 4096;

/// Which limit a call went over.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Refusal {
    #[error("a caller may record {0} events a second, and {BURST} at once")]
    Caller(u32),
    #[error("the programs of a user may record {0} events a second, and {most} at once", most = BURST * USER_SHARE)]
    User(u32),
    #[error("{REMEMBERED} callers at once have used up their share: no more can be told apart")]
    Callers,
    #[error("a message may have {0} bytes")]
    Message(usize),
    #[error("a sequence may have {BURST} entries")]
    Sequence,
    #[error("a caller may run {0} timers at once")]
    TimersOfCaller(usize),
    #[error("the programs of a user may run {0} timers at once")]
    TimersOfUser(usize),
    #[error("{0} timers run: there is no room for more")]
    Timers(usize),
}

impl Refusal {
    /// Under which the owner's view counts it.
    pub const fn reason(self) -> &'static str {
        match self {
            Self::Caller(_) => "over a caller's rate",
            Self::User(_) => "over a user's rate",
            Self::Callers => "too many callers",
            Self::Message(_) => "message too long",
            Self::Sequence => "sequence too long",
            Self::TimersOfCaller(_) | Self::TimersOfUser(_) | Self::Timers(_) => "too many timers",
        }
    }
}

/// A token bucket: when it is full again, in microseconds.
#[derive(Clone, Copy, Debug)]
struct Bucket {
    full_at: i64,
}

impl Bucket {
    /// Whether the bucket holds `cost` tokens at `now`.
    fn holds(&mut self, rate: u32, burst: u32, cost: u32, now: i64) -> bool {
        let full = now.saturating_add(token(rate) * i64::from(burst));
        // A clock that was set back makes it no emptier than empty.
        self.full_at = self.full_at.clamp(now, full);
        self.full_at.saturating_add(token(rate) * i64::from(cost)) <= full
    }

    /// Takes `cost` tokens, which it holds.
    fn take(&mut self, rate: u32, cost: u32) {
        self.full_at = self.full_at.saturating_add(token(rate) * i64::from(cost));
    }
}

/// Microseconds that one token takes.
fn token(rate: u32) -> i64 {
    1_000_000 / i64::from(rate.max(1))
}

/// The buckets of all callers.
#[derive(Debug)]
pub(super) struct Quotas {
    /// tokens that a caller's bucket gains a second
    rate: u32,
    callers: HashMap<String, (Option<u32>, Bucket)>,
    /// by user id; `None` for callers that left before they could be asked about
    users: HashMap<Option<u32>, Bucket>,
    /// refused calls by reason that are not written down yet
    refused: BTreeMap<&'static str, u64>,
}

impl Quotas {
    /// Quotas under which a caller may record `rate` events a second.
    pub fn new(rate: u32) -> Self {
        Self { rate, callers: HashMap::new(), users: HashMap::new(), refused: BTreeMap::new() }
    }

    /// A remembered caller's user.
    #[expect(clippy::option_option, reason = "a caller that is not remembered, and one without a user")]
    pub fn user_of(&self, caller: &str) -> Option<Option<u32>> {
        self.callers.get(caller).map(|&(user, _)| user)
    }

    /// Takes the tokens for a call, from the caller and from its user, or from neither.
    pub fn charge(&mut self, caller: &str, user: Option<u32>, cost: u32, now: Timestamp) -> Result<(), Refusal> {
        let (now, user_rate) = (now.as_microsecond(), self.rate.saturating_mul(USER_SHARE));
        let full = Bucket { full_at: now };
        let mut mine = self.callers.get(caller).map_or(full, |&(_, bucket)| bucket);
        let mut ours = self.users.get(&user).copied().unwrap_or(full);
        let held = [mine.holds(self.rate, BURST, cost, now), ours.holds(user_rate, BURST * USER_SHARE, cost, now)];
        let charged = if !held[0] {
            Err(Refusal::Caller(self.rate))
        } else if !held[1] {
            Err(Refusal::User(user_rate))
        } else {
            mine.take(self.rate, cost);
            ours.take(user_rate, cost);
            Ok(())
        };
        if !(make_room(&mut self.callers, caller, |&(_, bucket)| bucket.full_at > now)
            && make_room(&mut self.users, &user, |bucket| bucket.full_at > now))
        {
            return charged.and(Err(Refusal::Callers));
        }
        match self.callers.get_mut(caller) {
            Some(known) => *known = (user, mine),
            None => drop(self.callers.insert(caller.to_owned(), (user, mine))),
        }
        self.users.insert(user, ours);
        charged
    }

    /// Forgets a caller that left. The bus never gives its name to another.
    pub fn forget(&mut self, caller: &str) {
        self.callers.remove(caller);
    }

    /// Forgets everybody.
    pub fn forget_all(&mut self) {
        self.callers.clear();
        self.users.clear();
    }

    /// Notes a refused call. Whether it is the first since they were last taken.
    pub fn note(&mut self, refusal: Refusal) -> bool {
        let first = self.refused.is_empty();
        *self.refused.entry(refusal.reason()).or_default() += 1;
        first
    }

    /// Takes the refused calls, by reason.
    pub fn take_refused(&mut self) -> BTreeMap<&'static str, u64> {
        std::mem::take(&mut self.refused)
    }
}

/// Whether a table holds a key or has room for it, if need be by forgetting what need not be kept.
fn make_room<Q, K, V>(table: &mut HashMap<K, V>, key: &Q, keep: impl Fn(&V) -> bool) -> bool
where
    K: std::borrow::Borrow<Q> + Eq + Hash,
    Q: Eq + Hash + ?Sized,
{
    if table.len() >= REMEMBERED && !table.contains_key(key) {
        table.retain(|_, value| keep(value));
    }
    table.len() < REMEMBERED || table.contains_key(key)
}

#[cfg(test)]
mod tests {
    use super::*;

    const RATE: u32 = 50;

    fn at(milliseconds: i64) -> Timestamp {
        Timestamp::from_millisecond(1_800_000_000_000 + milliseconds).unwrap()
    }

    /// How many of `tries` single calls pass at a moment.
    fn passed(quotas: &mut Quotas, caller: &str, user: u32, now: Timestamp, tries: usize) -> usize {
        (0..tries).filter(|_| quotas.charge(caller, Some(user), 1, now).is_ok()).count()
    }

    #[test]
    fn a_caller_has_its_burst_and_then_its_rate() {
        let mut quotas = Quotas::new(RATE);
        assert_eq!(passed(&mut quotas, ":1.1", 7, at(0), 5000), BURST as usize);
        assert_eq!(quotas.charge(":1.1", Some(7), 1, at(19)), Err(Refusal::Caller(RATE)));
        assert_eq!(passed(&mut quotas, ":1.1", 7, at(20), 10), 1);
        assert_eq!(passed(&mut quotas, ":1.1", 7, at(1020), 5000), RATE as usize);
        // However long it is quiet, it saves up no more than its burst.
        assert_eq!(passed(&mut quotas, ":1.1", 7, at(1_000_000_000), 5000), BURST as usize);
    }

    #[test]
    fn over_any_span_no_more_passes_than_burst_and_rate_allow() {
        let mut quotas = Quotas::new(RATE);
        let (mut sum, mut cost) = (0, 1);
        for step in 0..10_000_i64 {
            cost = cost * 31 % 997;
            if quotas.charge(":1.1", Some(7), cost, at(step * 7)).is_ok() {
                sum += cost;
            }
            let allowed = i64::from(BURST) + step * 7 * i64::from(RATE) / 1000;
            assert!(i64::from(sum) <= allowed, "{sum} of {allowed} at step {step}");
        }
        assert!(sum > BURST + 2000, "the rate is made use of");
    }

    #[test]
    fn a_flooder_takes_nothing_from_another_caller_and_little_from_its_users_share() {
        let mut quotas = Quotas::new(RATE);
        passed(&mut quotas, ":1.1", 7, at(0), 100_000);
        assert_eq!(passed(&mut quotas, ":1.2", 7, at(0), 100), 100, "of the same user");
        assert_eq!(passed(&mut quotas, ":1.3", 8, at(0), 2000), BURST as usize, "of another user");
    }

    #[test]
    fn new_names_do_not_get_round_the_users_limit() {
        let mut quotas = Quotas::new(RATE);
        let all: usize = (0..50)
            .map(|n| {
                let name = format!(":1.{n}");
                let passed = passed(&mut quotas, &name, 7, at(0), 2000);
                quotas.forget(&name);
                passed
            })
            .sum();
        assert_eq!(all, (BURST * USER_SHARE) as usize);
        assert_eq!(quotas.charge(":1.99", Some(7), 1, at(0)), Err(Refusal::User(RATE * USER_SHARE)));
        assert_eq!(passed(&mut quotas, ":2.1", 8, at(0), 10), 10);
    }

    #[test]
    fn a_refused_call_costs_nothing() {
        let mut quotas = Quotas::new(RATE);
        assert_eq!(quotas.charge(":1.1", Some(7), BURST + 1, at(0)), Err(Refusal::Caller(RATE)));
        assert_eq!(quotas.charge(":1.1", Some(7), BURST, at(0)), Ok(()));
    }

    #[test]
    fn a_clock_that_is_set_back_by_years_locks_nobody_out() {
        let mut quotas = Quotas::new(RATE);
        passed(&mut quotas, ":1.1", 7, at(0), 5000);
        let back = at(-100_000_000_000);
        assert_eq!(passed(&mut quotas, ":1.1", 7, back, 5000), 0);
        let later = Timestamp::from_millisecond(back.as_millisecond() + 1000).unwrap();
        assert_eq!(passed(&mut quotas, ":1.1", 7, later, 5000), RATE as usize);
    }

    #[test]
    fn the_tables_are_bounded_and_forget_only_what_says_nothing() {
        let mut quotas = Quotas::new(RATE);
        for n in 0..REMEMBERED {
            let user = u32::try_from(n).unwrap();
            assert_eq!(quotas.charge(&format!(":1.{n}"), Some(user), BURST, at(0)), Ok(()));
        }
        assert_eq!(quotas.charge(":2.1", Some(1_000_000), 1, at(0)), Err(Refusal::Callers));
        assert_eq!(quotas.charge(":1.5", Some(5), 1, at(20)), Ok(()), "who is known is served");
        // Once everybody's bucket is full again, all are forgotten but the one that has just come.
        assert_eq!(quotas.charge(":2.1", Some(1_000_000), 1, at(1_000_000)), Ok(()));
        assert_eq!((quotas.callers.len(), quotas.users.len()), (1, 1));
    }

    #[test]
    fn refusals_are_counted_by_reason() {
        let mut quotas = Quotas::new(RATE);
        assert!(quotas.note(Refusal::Caller(RATE)));
        assert!(!quotas.note(Refusal::Caller(RATE)));
        assert!(!quotas.note(Refusal::Sequence));
        assert_eq!(quotas.take_refused(), [("over a caller's rate", 2), ("sequence too long", 1)].into());
        assert!(quotas.note(Refusal::Sequence));
    }
}
