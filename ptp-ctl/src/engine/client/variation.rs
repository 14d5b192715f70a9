//! How much the delays to a server vary.

/// Exchanges of a block; the one before it counts too.
const BLOCK: u32 = 64;

/// By how much path delays of late are longer than the shortest of them.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Variation {
    /// The one that is filled, and the one before.
    blocks: [Block; 2],
}

#[derive(Clone, Copy, Debug)]
struct Block {
    count: u32,
    sum_ns: f64,
    least_ns: f64,
}

impl Default for Block {
    fn default() -> Self {
        Self { count: 0, sum_ns: 0.0, least_ns: f64::INFINITY }
    }
}

impl Variation {
    /// Takes in a path delay, ns.
    pub(super) fn take(&mut self, path_delay_ns: f64) {
        if self.blocks[0].count == BLOCK {
            self.blocks = [Block::default(), self.blocks[0]];
        }
        let block = &mut self.blocks[0];
        block.count += 1;
        block.sum_ns += path_delay_ns;
        block.least_ns = block.least_ns.min(path_delay_ns);
    }

    /// In the mean, ns; `None` before the first block is full.
    pub(super) fn mean_ns(&self) -> Option<f64> {
        let count = self.blocks[0].count + self.blocks[1].count;
        let sum = self.blocks[0].sum_ns + self.blocks[1].sum_ns;
        let least = self.blocks[0].least_ns.min(self.blocks[1].least_ns);
        (count >= BLOCK).then(|| sum / f64::from(count) - least)
    }
}

#[cfg(test)]
mod tests;
