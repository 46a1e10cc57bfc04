// SPDX-License-Identifier: MIT OR Apache-2.0
//! A response as bytes, and the check that an honest client can have sent it.

use crate::error::ResponseError;
use crate::mechanism::Mechanism;
use crate::value::{Message, Response};

impl Mechanism {
    /// The length of an encoded response in bytes: the smallest that holds it.
    #[must_use]
    pub fn payload_len(&self) -> usize {
        if let Some((bits, _)) = self.mask() {
            return bits.div_ceil(8) as usize;
        }
        match (self, self.cells()) {
            (Self::Collision(_), _) => 4,
            (_, 0..=0x100) => 1,
            (_, 0x101..=0x1_0000) => 2,
            _ => 3,
        }
    }

    /// Writes a response as [`Self::payload_len`] little-endian bytes: the symbol, the mask (bit v for value v), or the
    /// seed and then the bucket as two 16-bit numbers.
    ///
    /// # Errors
    /// [`ResponseError`] for another mechanism's response.
    pub fn encode(&self, response: &Response) -> Result<Vec<u8>, ResponseError> {
        self.validate(response)?;
        let bits = match response.0 {
            Message::Symbol(symbol) => symbol.into(),
            Message::Mask(mask) => mask,
            Message::Hashed { seed, bucket } => u64::from(seed) | u64::from(bucket) << 16,
        };
        Ok(bits.to_le_bytes()[..self.payload_len()].to_vec())
    }

    /// Reads a response and checks that an honest client can have sent it.
    ///
    /// # Errors
    /// [`ResponseError`] naming the kind of fault, never the content.
    pub fn decode(&self, payload: &[u8]) -> Result<Response, ResponseError> {
        if payload.len() != self.payload_len() {
            return Err(ResponseError::WrongLength);
        }
        let bits = payload.iter().rev().fold(0_u64, |bits, &byte| bits << 8 | u64::from(byte));
        let response = self.respond(bits);
        self.validate(&response)?;
        Ok(response)
    }

    /// The response that a whole number stands for.
    pub(crate) fn respond(&self, message: u64) -> Response {
        #[expect(clippy::cast_possible_truncation, reason = "a symbol has at most 3 bytes, a seed and a bucket 2 each")]
        Response(if self.mask().is_some() {
            Message::Mask(message)
        } else if matches!(self, Self::Collision(_)) {
            Message::Hashed { seed: message as u16, bucket: (message >> 16) as u16 }
        } else {
            Message::Symbol(message as u32)
        })
    }

    pub(crate) fn validate(&self, response: &Response) -> Result<(), ResponseError> {
        match (self, response.0, self.mask()) {
            (_, Message::Mask(mask), Some((bits, weight))) => {
                let in_range = mask & !(u64::MAX >> (64 - bits)) == 0;
                (in_range && mask.count_ones() == weight).then_some(()).ok_or(ResponseError::WrongMaskWeight)
            }
            (Self::Collision(m), Message::Hashed { bucket, .. }, None) => {
                u32::from(bucket).lt(&m.buckets).then_some(()).ok_or(ResponseError::OutOfRange)
            }
            (Self::Collision(_), _, None) => Err(ResponseError::WrongKind),
            (_, Message::Symbol(symbol), None) => {
                (symbol as usize).lt(&self.cells()).then_some(()).ok_or(ResponseError::OutOfRange)
            }
            _ => Err(ResponseError::WrongKind),
        }
    }

    /// For mechanisms that answer with masks: how many bits they have, and how many of them are set.
    const fn mask(&self) -> Option<(u32, u32)> {
        match self {
            Self::SubsetSelection(m) => Some((m.domain, m.subset)),
            Self::PrivSet(m) => Some((m.domain + m.bound, m.subset)),
            _ => None,
        }
    }
}
