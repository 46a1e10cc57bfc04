// SPDX-License-Identifier: MIT OR Apache-2.0
//! A mechanism's name with the numbers that its channel follows from.

use std::fmt;

use crate::mechanism::Mechanism;

impl Mechanism {
    /// The mechanism's name as catalogues write it.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::RandomisedResponse(_) => "randomised-response",
            Self::SubsetSelection(_) => "subset-selection",
            Self::ProjectiveGeometry(_) => "projective-geometry",
            Self::Collision(_) => "collision",
            Self::PrivSet(_) => "priv-set",
            Self::OneBitMean(_) => "one-bit-mean",
            Self::HybridMean(_) => "hybrid-mean",
            Self::SquareWave(_) => "square-wave",
            Self::TruncatedGeometric(_) => "truncated-geometric",
        }
    }
}

/// The name, then every derived number, as in `subset-selection d=30 w=8 A=11674931554 B=4294967296`. Two mechanisms with the same text
/// have the same channel, so a content hash can cover it.
impl fmt::Display for Mechanism {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())?;
        match self {
            Self::RandomisedResponse(m) => write!(f, " d={}", m.design.channel.messages)?,
            Self::SubsetSelection(m) => write!(f, " d={} w={}", m.domain, m.subset)?,
            Self::ProjectiveGeometry(m) => write!(f, " d={} q={} t={}", m.domain, m.space.q(), m.space.t())?,
            Self::Collision(m) => write!(f, " d={} m={} l={} seeds=65536", m.domain, m.bound, m.buckets)?,
            Self::PrivSet(m) => write!(f, " d={} m={} k={}", m.domain, m.bound, m.subset)?,
            Self::OneBitMean(m) => write!(f, " m={}", m.bound)?,
            Self::HybridMean(m) => {
                write!(f, " m={} b={} one-bit={}/2^32", m.one_bit.bound, m.window.half, m.one_bit_parts)?;
            }
            Self::SquareWave(m) => write!(f, " m={} b={}", m.bound, m.window.half)?,
            Self::TruncatedGeometric(m) => write!(f, " m={}", m.bound())?,
        }
        write!(f, " A={} B={}", self.weights().inside(), self.weights().outside())
    }
}

#[cfg(test)]
mod tests {
    use crate::{DomainSize, Epsilon, Mechanism, ProjectiveGeometry};

    #[test]
    fn the_text_names_every_derived_number() {
        let epsilon = Epsilon::try_from(1.0).unwrap();
        let geometry = ProjectiveGeometry::new(DomainSize::try_from(1000).unwrap(), epsilon.weights()).unwrap();
        let text = Mechanism::ProjectiveGeometry(geometry).to_string();
        assert_eq!(text, "projective-geometry d=1000 q=3 t=7 A=11674931554 B=4294967296");
    }
}
