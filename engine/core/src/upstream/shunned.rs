//! Where one call would rather not go.

/// See the module.
#[derive(Debug, Clone, Default)]
pub struct Shunned {
    last: Option<usize>,
    /// Servers that refused it, each with the time until which it is not asked again.
    refused: Vec<(usize, u64)>,
}

impl Shunned {
    /// Server `at` failed the call: from now on only if there is no other.
    pub fn failed(&mut self, at: usize) {
        self.last = Some(at);
    }

    /// Server `at` asked the call to stay away until `until_ns`.
    pub fn refused(&mut self, at: usize, until_ns: u64) {
        self.refused.retain(|&(other, _)| other != at);
        self.refused.push((at, until_ns));
    }

    /// The server that failed it last.
    pub fn last(&self) -> Option<usize> {
        self.last
    }

    /// How long the call has to stay away from server `at`, nanoseconds.
    pub fn wait_ns(&self, at: usize, now_ns: u64) -> u64 {
        let asked = self.refused.iter().find(|(other, _)| *other == at);
        asked.map_or(0, |(_, until_ns)| until_ns.saturating_sub(now_ns))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_word_of_each_server_counts() {
        let mut shunned = Shunned::default();
        shunned.refused(1, 50);
        shunned.refused(2, 70);
        shunned.refused(1, 30);
        assert_eq!([0, 1, 2].map(|at| shunned.wait_ns(at, 20)), [0, 10, 50]);
        assert_eq!([0, 1, 2].map(|at| shunned.wait_ns(at, 60)), [0, 0, 10]);
    }
}
