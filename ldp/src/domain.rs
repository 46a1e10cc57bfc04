// SPDX-License-Identifier: MIT OR Apache-2.0
//! Checked sizes of input domains.

use serde::{Deserialize, Serialize};

use crate::error::ParameterError;

/// The number of values in a dictionary, `d` in the literature: 2 to 100,000.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "u64", into = "u64")]
pub struct DomainSize(u32);

impl DomainSize {
    /// The size as an integer.
    #[must_use]
    pub const fn get(self) -> u32 {
        self.0
    }
}

/// The most that one workstation's value can be: items in a set, or the cap of a count, `m` in the literature: 1 to 255.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "u64", into = "u64")]
pub struct Bound(u32);

impl Bound {
    /// The bound as an integer.
    #[must_use]
    pub const fn get(self) -> u32 {
        self.0
    }
}

macro_rules! checked_integer {
    ($type:ident, $range:expr, $error:ident) => {
        impl TryFrom<u64> for $type {
            type Error = ParameterError;

            fn try_from(value: u64) -> Result<Self, ParameterError> {
                u32::try_from(value).ok().filter(|v| $range.contains(v)).map(Self).ok_or(ParameterError::$error(value))
            }
        }

        impl From<$type> for u64 {
            fn from(value: $type) -> Self {
                value.0.into()
            }
        }
    };
}

checked_integer!(DomainSize, 2..=100_000, DomainSize);
checked_integer!(Bound, 1..=255, Bound);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_checked_through_every_door() {
        assert!(DomainSize::try_from(0).is_err());
        assert!(DomainSize::try_from(1).is_err());
        assert!(DomainSize::try_from(100_001).is_err());
        assert!(DomainSize::try_from(1 << 40).is_err());
        assert!(serde_json::from_str::<DomainSize>("1").is_err());
        assert_eq!(serde_json::from_str::<DomainSize>("2").unwrap().get(), 2);
        assert!(Bound::try_from(0).is_err());
        assert!(serde_json::from_str::<Bound>("256").is_err());
        assert_eq!(serde_json::from_str::<Bound>("20").unwrap().get(), 20);
    }
}
