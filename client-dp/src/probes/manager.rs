// SPDX-License-Identifier: MIT OR Apache-2.0
//! What systemd's manager knows: how long the start took, and how many units have failed (org.freedesktop.systemd1(5)).

use std::time::Duration;

use zbus::Connection;

/// The event `failed-units` of catalog/metrics/EVENTS.md.
pub(super) const FAILED_UNITS: [u8; 16] = 0x329f_db24_1879_5e88_ad32_adbe_e2e8_5b96_u128.to_be_bytes();

/// The microseconds that firmware, loader, kernel, initrd and userspace took, and their sum: the payload of `StartupFinished`.
pub(super) type Startup = (u64, u64, u64, u64, u64, u64);

/// How long systemd may take to answer.
const PATIENCE: Duration = Duration::from_secs(5);

#[zbus::proxy(
    interface = "org.freedesktop.systemd1.Manager",
    default_service = "org.freedesktop.systemd1",
    default_path = "/org/freedesktop/systemd1"
)]
trait Systemd {
    #[zbus(property(emits_changed_signal = "false"), name = "FirmwareTimestampMonotonic")]
    fn firmware(&self) -> zbus::Result<u64>;
    #[zbus(property(emits_changed_signal = "false"), name = "LoaderTimestampMonotonic")]
    fn loader(&self) -> zbus::Result<u64>;
    #[zbus(property(emits_changed_signal = "false"), name = "InitRDTimestampMonotonic")]
    fn initrd(&self) -> zbus::Result<u64>;
    #[zbus(property(emits_changed_signal = "false"), name = "UserspaceTimestampMonotonic")]
    fn userspace(&self) -> zbus::Result<u64>;
    #[zbus(property(emits_changed_signal = "false"), name = "FinishTimestampMonotonic")]
    fn finish(&self) -> zbus::Result<u64>;
    #[zbus(property(emits_changed_signal = "false"), name = "NFailedUnits")]
    fn failed_units(&self) -> zbus::Result<u32>;
}

/// What systemd says now.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Manager {
    pub(super) startup: Option<Startup>,
    pub(super) failed_units: Option<u32>,
}

impl Manager {
    /// Asks the systemd of a bus; one that is not there, or does not answer in time, says nothing.
    pub async fn ask(connection: &Connection) -> Self {
        let answer = async {
            let systemd = SystemdProxy::builder(connection).cache_properties(zbus::proxy::CacheProperties::No);
            let systemd = systemd.build().await?;
            let stamps = [
                systemd.firmware().await?,
                systemd.loader().await?,
                systemd.initrd().await?,
                systemd.userspace().await?,
                systemd.finish().await?,
            ];
            zbus::Result::Ok(Self { startup: startup(stamps), failed_units: Some(systemd.failed_units().await?) })
        };
        tokio::time::timeout(PATIENCE, answer).await.ok().and_then(Result::ok).unwrap_or_default()
    }
}

/// From the moments on the kernel's clock. Firmware and loader came before it: theirs are how long before. A start that is not
/// finished has no end yet, and a moment before the one that it follows makes no sense.
fn startup([firmware, loader, initrd, userspace, finish]: [u64; 5]) -> Option<Startup> {
    let kernel = if initrd > 0 { initrd } else { userspace };
    let parts = [
        firmware.saturating_sub(loader),
        loader,
        kernel,
        userspace.checked_sub(kernel)?,
        finish.checked_sub(userspace).filter(|_| finish > 0)?,
    ];
    let [firmware, loader, kernel, initrd, userspace] = parts;
    let total = parts.into_iter().try_fold(0_u64, u64::checked_add)?;
    Some((firmware, loader, kernel, initrd, userspace, total))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A laptop of which `systemd-analyze` says: firmware 5.2 s, loader 1.5 s, kernel 1.1 s, initrd 2.4 s, userspace 9.8 s.
    #[test]
    fn parts_and_their_sum() {
        let laptop = startup([6_700_000, 1_500_000, 1_100_000, 3_500_000, 13_300_000]);
        assert_eq!(laptop, Some((5_200_000, 1_500_000, 1_100_000, 2_400_000, 9_800_000, 20_000_000)));
        let guest = startup([0, 0, 0, 900_000, 4_900_000]);
        assert_eq!(guest, Some((0, 0, 900_000, 0, 4_000_000, 4_900_000)));
    }

    #[test]
    fn a_start_under_way_has_no_time_yet() {
        assert_eq!(startup([6_700_000, 1_500_000, 1_100_000, 3_500_000, 0]), None);
        assert_eq!(startup([0, 0, 9, 5, 20]), None);
        assert_eq!(startup([u64::MAX, 1, 2, 3, 4]), None);
    }
}
