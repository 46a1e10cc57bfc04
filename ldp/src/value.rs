// SPDX-License-Identifier: MIT OR Apache-2.0
//! A workstation's true value, and the randomised response that may leave it.

use std::fmt;

/// What a tally amounts to, in the mechanism's input domain.
#[derive(Clone, PartialEq, Eq)]
pub enum Value {
    /// One symbol of a dictionary: 0 to d - 1.
    Symbol(u32),
    /// A set of distinct symbols, at most m of them.
    Set(Vec<u32>),
    /// A count from 0 to m.
    Count(u32),
}

/// A true value. It does not print, does not serialise, and opens only for a mechanism's `randomise` in this crate and for
/// the owner's own view.
///
/// ```compile_fail
/// # use stipple_ldp::{TrueValue, Value};
/// let secret = TrueValue::new(Value::Symbol(3));
/// serde_json::to_string(&secret); // a true value has no Serialize
/// ```
/// ```compile_fail
/// # use stipple_ldp::{TrueValue, Value};
/// let secret = TrueValue::new(Value::Symbol(3));
/// println!("{secret}"); // nor Display
/// ```
#[derive(Clone)]
pub struct TrueValue(Value);

impl TrueValue {
    /// Closes a value in.
    #[must_use]
    pub const fn new(value: Value) -> Self {
        Self(value)
    }

    /// Opens the value for the person whose workstation it is. Nothing that sends may call this.
    #[must_use]
    pub const fn for_owner(&self) -> &Value {
        &self.0
    }

    pub(crate) const fn open(&self) -> &Value {
        &self.0
    }
}

impl fmt::Debug for TrueValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TrueValue(hidden)")
    }
}

/// What a mechanism answers: the randomised content of one report.
///
/// There is no public constructor: a response comes from [`crate::Mechanism::randomise`], or on the receiving side from
/// [`crate::Mechanism::decode`], which checks it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Response(pub(crate) Message);

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Message {
    Symbol(u32),
    Mask(u64),
    Hashed { seed: u16, bucket: u16 },
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_true_value_does_not_print() {
        let shown = format!("{:?}", TrueValue::new(Value::Set(vec![42, 77])));
        assert_eq!(shown, "TrueValue(hidden)");
    }
}
