// SPDX-License-Identifier: MIT OR Apache-2.0
//! A two-weight channel whose blocks are windows: 2b + 1 outputs around the value on a line of d + 2b outputs.
//!
//! The windows of two values share a number of outputs that depends on their distance, so the channel is not a balanced design,
//! but each row has the same total, and the expected output is an affine function of the value.

use crate::design::Channel;
use crate::epsilon::Weights;

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Window {
    pub channel: Channel,
    /// b, how far the window reaches to either side
    pub half: u64,
}

impl Window {
    /// Windows over the values 0 to m.
    pub fn new(bound: u32, half: u64, weights: Weights) -> Self {
        let messages = u64::from(bound) + 1 + 2 * half;
        Self { channel: Channel { messages, block: 2 * half + 1, weights }, half }
    }

    /// The output that a uniform integer below the total weight selects. Value v's window is `v..=v + 2b`.
    pub fn encode(&self, value: u32, uniform: u128) -> u64 {
        let start = u64::from(value);
        match self.channel.pick(uniform) {
            Ok(index) => start + index,
            Err(index) => index + if index >= start { self.channel.block } else { 0 },
        }
    }

    /// phi(y), the unbiased estimate of the value from one output. With D outputs and r in a window,
    /// `E[y | v] = (B D(D-1)/2 + (A-B) r (v+b)) / W`; phi solves it for v.
    pub fn unbiased(&self) -> Vec<f64> {
        let (a, b) = (self.channel.weights.inside() as f64, self.channel.weights.outside() as f64);
        let (outputs, block) = (self.channel.messages as f64, self.channel.block as f64);
        let everywhere = b * outputs * (outputs - 1.0) / 2.0;
        let total = self.channel.total() as f64;
        (0..self.channel.messages)
            .map(|y| (y as f64 * total - everywhere) / ((a - b) * block) - self.half as f64)
            .collect()
    }

    /// P[y | v].
    pub fn chance(&self, value: u32, output: u64) -> f64 {
        let inside = (u64::from(value)..u64::from(value) + self.channel.block).contains(&output);
        let weights = self.channel.weights;
        (if inside { weights.inside() } else { weights.outside() }) as f64 / self.channel.total() as f64
    }
}
