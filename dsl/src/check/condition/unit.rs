//! Units of figures: the name of a column ends with its unit.

/// Unit of a number.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(in crate::check) enum Unit {
    /// A ratio, a count, or a number whose unit is that of what it is compared with.
    Plain,
    /// Written with `%`.
    Share,
    /// A time, and its unit in nanoseconds.
    Time(f64),
    /// Events a second.
    Rate,
    /// Tokens of a language model.
    Tokens,
    /// A product or a quotient of units.
    Derived,
}

impl Unit {
    /// The unit that a column's name says.
    pub(in crate::check) fn of_column(name: &str) -> Unit {
        let ends = |suffix: &str| name.ends_with(suffix);
        match () {
            () if ends("_per_s") => Unit::Rate,
            () if ends("_ns") => Unit::Time(1.0),
            () if ends("_us") => Unit::Time(1e3),
            () if ends("_ms") => Unit::Time(1e6),
            () if ends("_s") => Unit::Time(1e9),
            () if ends("_tokens") => Unit::Tokens,
            () => Unit::Plain,
        }
    }

    /// With its article.
    pub(super) fn words(self) -> &'static str {
        match self {
            Unit::Plain => "a number",
            Unit::Share => "a share",
            Unit::Time(_) => "a time",
            Unit::Rate => "a rate",
            Unit::Tokens => "a number of tokens",
            Unit::Derived => "a product of several units",
        }
    }

    /// Whether it scales another number without changing what that measures.
    pub(super) fn is_factor(self) -> bool {
        matches!(self, Unit::Plain | Unit::Share)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_end_with_their_unit() {
        assert_eq!(Unit::of_column("latency_p99_ms"), Unit::Time(1e6));
        assert_eq!(Unit::of_column("dispatch_p99_us"), Unit::Time(1e3));
        assert_eq!(Unit::of_column("makespan_s"), Unit::Time(1e9));
        assert_eq!(Unit::of_column("throughput_per_s"), Unit::Rate);
        assert_eq!(Unit::of_column("prompt_tokens"), Unit::Tokens);
        assert_eq!(Unit::of_column("balance"), Unit::Plain);
        assert_eq!(Unit::of_column("success"), Unit::Plain);
    }
}
