//! Where ticks stand on an axis of numbers and what they say.

/// At most about `most` ticks from `low` to `high`, at round numbers, with their words.
pub(super) fn ticks(low: f64, high: f64, log: bool, most: usize) -> Vec<(f64, String)> {
    let most = most.max(2);
    let at = if log { decades(low, high, most) } else { steps(low, high, most) };
    let step = at.windows(2).map(|pair| pair[1] - pair[0]).fold(f64::INFINITY, f64::min);
    let largest = at.iter().fold(0.0f64, |largest, value| largest.max(value.abs()));
    at.into_iter()
        .map(|value| {
            let words =
                if log || step.is_infinite() { short(value) } else { fixed(value, step, largest) };
            (value, words)
        })
        .collect()
}

/// Multiples of 1, 2, 2.5 or 5 times a power of ten.
fn steps(low: f64, high: f64, most: usize) -> Vec<f64> {
    let rough = (high - low) / most as f64;
    let power = 10f64.powf(rough.log10().floor());
    let step = [1.0, 2.0, 2.5, 5.0, 10.0]
        .map(|factor| factor * power)
        .into_iter()
        .find(|step| (high - low) / step <= most as f64)
        .unwrap_or(10.0 * power);
    if !(step.is_finite() && step > 0.0) {
        return vec![low, high];
    }
    let first = (low / step).ceil();
    let count = ((high / step).floor() - first).clamp(0.0, 2.0 * most as f64) as usize;
    // The sum is not -0.
    (0..=count).map(|i| (first + i as f64) * step + 0.0).collect()
}

/// Powers of ten, with 2 and 5 times them, or all multiples, where there is room.
fn decades(low: f64, high: f64, most: usize) -> Vec<f64> {
    let (first, last) = (low.log10().floor() as i32, high.log10().ceil() as i32);
    let with = |factors: &[f64], every: i32| -> Vec<f64> {
        (first..=last)
            .step_by(every.max(1) as usize)
            .flat_map(|power| factors.iter().map(move |factor| factor * 10f64.powi(power)))
            .filter(|value| (low..=high).contains(value))
            .collect()
    };
    let all: [&[f64]; 4] =
        [&[1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0, 9.0], &[1.0, 2.0, 5.0], &[1.0, 3.0], &[1.0]];
    let fits = all.iter().map(|factors| with(factors, 1)).find(|at| at.len() <= most);
    let at = fits.unwrap_or_else(|| with(&[1.0], (last - first) / most as i32 + 1));
    if at.is_empty() { vec![low, high] } else { at }
}

/// As many decimals as the step needs; thousands and more get a letter.
fn fixed(value: f64, step: f64, largest: f64) -> String {
    if value == 0.0 {
        return "0".to_owned();
    }
    if !(1e-4..1e15).contains(&largest) {
        return short(value);
    }
    let (unit, letter) = match largest {
        x if x >= 1e12 => (1e12, "T"),
        x if x >= 1e9 => (1e9, "G"),
        x if x >= 1e6 => (1e6, "M"),
        x if x >= 2e4 => (1e3, "k"),
        _ => (1.0, ""),
    };
    let decimals = (0..6).find(|decimals| {
        let scaled = step / unit * 10f64.powi(*decimals);
        (scaled - scaled.round()).abs() < 1e-6 * scaled.max(1.0)
    });
    signed(format!("{:.*}{letter}", decimals.unwrap_or(6) as usize, value / unit))
}

/// At most three digits: `0.02`, `1500`, `20k`, `1e-6`.
pub(super) fn short(value: f64) -> String {
    let size = value.abs();
    let words = match size {
        0.0 => "0".to_owned(),
        x if !(0.0005..999.5e12).contains(&x) => format!("{value:.1e}").replace(".0e", "e"),
        x if x >= 999.5e9 => format!("{}T", digits(value / 1e12)),
        x if x >= 999.5e6 => format!("{}G", digits(value / 1e9)),
        x if x >= 999.5e3 => format!("{}M", digits(value / 1e6)),
        x if x >= 9_999.5 => format!("{}k", digits(value / 1e3)),
        _ => digits(value),
    };
    signed(words)
}

/// Three digits, without zeros at the end.
fn digits(value: f64) -> String {
    let whole = value.abs().max(1e-12).log10().floor() as i32;
    let decimals = (2 - whole).clamp(0, 6) as usize;
    let words = format!("{value:.decimals$}");
    if words.contains('.') {
        words.trim_end_matches('0').trim_end_matches('.').to_owned()
    } else {
        words
    }
}

/// With the sign for minus, which is as wide as a digit, instead of a hyphen.
fn signed(words: String) -> String {
    match words.strip_prefix('-') {
        Some(rest) => format!("−{rest}"),
        None => words,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn words(low: f64, high: f64, log: bool, most: usize) -> Vec<String> {
        ticks(low, high, log, most).into_iter().map(|(_, words)| words).collect()
    }

    #[test]
    fn ticks_are_round_numbers() {
        assert_eq!(words(0.0, 17.6, false, 5), ["0", "5", "10", "15"]);
        assert_eq!(words(0.0, 1.0, false, 5), ["0", "0.2", "0.4", "0.6", "0.8", "1.0"]);
        assert_eq!(words(-12.0, 31.0, false, 5), ["−10", "0", "10", "20", "30"]);
        assert_eq!(words(0.0, 48_000.0, false, 5), ["0", "10k", "20k", "30k", "40k"]);
        assert_eq!(words(0.0, 2.4e6, false, 5), ["0", "0.5M", "1.0M", "1.5M", "2.0M"]);
        assert_eq!(words(0.9, 1200.0, true, 5), ["1", "10", "100", "1000"]);
        assert_eq!(words(1.5, 60.0, true, 6), ["2", "5", "10", "20", "50"]);
        assert_eq!(words(0.0, 3e-7, false, 3), ["0", "1e-7", "2e-7", "3e-7"]);
    }

    #[test]
    fn numbers_are_short() {
        let cases = [
            (0.0, "0"),
            (0.02, "0.02"),
            (1.234, "1.23"),
            (99.96, "100"),
            (1500.0, "1500"),
            (23_456.0, "23.5k"),
            (1.2e6, "1.2M"),
            (1e18, "1e18"),
            (-2.5e-7, "−2.5e-7"),
        ];
        for (value, expected) in cases {
            assert_eq!(short(value), expected, "{value}");
        }
    }

    proptest! {
        #[test]
        fn ticks_are_few_rise_and_lie_on_the_axis(
            a in -1e60..1e60f64, b in -1e60..1e60f64, small in 0..90i32,
            log in any::<bool>(), most in 2..9usize,
        ) {
            let scale = 10f64.powi(-small);
            let (mut low, mut high) = (a.min(b) * scale, a.max(b) * scale);
            if log {
                (low, high) = (low.abs().min(high.abs()), low.abs().max(high.abs()));
            }
            prop_assume!(high - low > 1e-9 * high.abs().max(low.abs()) && (!log || low > 0.0));
            let at: Vec<f64> = ticks(low, high, log, most).into_iter().map(|(at, _)| at).collect();
            prop_assert!(at.len() <= 2 * most + 1, "{at:?}");
            prop_assert!(at.windows(2).all(|pair| pair[0] < pair[1]), "{at:?}");
            let slack = 1e-9 * (high - low);
            prop_assert!(at.iter().all(|at| (low - slack..=high + slack).contains(at)), "{at:?}");
        }
    }
}
