//! The windows that a row lies in.

use sage_core::expr::Program;
use sage_core::record::{Datum, pack};

use super::failed::{Evaluator, Failures};
use super::packed::Packed;
use super::steps::Changing;

/// A row for each window that it lies in, with begin and end behind it.
pub(super) fn windows<'s>(
    rows: Changing<'s>,
    at: Program,
    (size, every): (i64, i64),
    mut with: Evaluator,
    failures: &mut Failures<'s>,
) -> Changing<'s> {
    failures.part(rows.flat_map(move |row| {
        let at = match with.value(&row, &at) {
            Ok(at) => at,
            Err(failed) => return vec![Err(failed)],
        };
        let lies_in = |(start, end): (i64, i64)| {
            let mut out = row.0.to_vec();
            pack(&mut out, Datum::Int(start));
            pack(&mut out, Datum::Int(end));
            Ok(Packed::from(out))
        };
        at.map_or_else(Vec::new, |at| begins(at, size, every).map(lies_in).collect())
    }))
}

/// Begin and end of the windows of this length around `at`, the last first. Windows begin at
/// multiples of `every`, before 1970 too; a begin belongs to its window and an end does not. At the
/// ends of what an int can say, where people put "never", a begin or end is the nearest one there is.
pub(super) fn begins(at: i64, size: i64, every: i64) -> impl Iterator<Item = (i64, i64)> {
    let (at, size, every) = (i128::from(at), i128::from(size), i128::from(every.max(1)));
    let last = at - at.rem_euclid(every);
    let nearest = |time: i128| time.clamp(i64::MIN.into(), i64::MAX.into()) as i64;
    std::iter::successors(Some(last), move |start| Some(start - every))
        .take_while(move |start| at - start < size)
        .map(move |start| (nearest(start), nearest(start + size)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_time_lies_in_exactly_the_windows_that_cover_it(
            at in -5_000_i64..5_000, every in 1_i64..50, more in 0_i64..200,
        ) {
            let size = every + more;
            let found: Vec<(i64, i64)> = begins(at, size, every).collect();
            let mut expected: Vec<(i64, i64)> = (-6_000..6_000)
                .map(|n| n * every)
                .filter(|start| *start <= at && at < start + size)
                .map(|start| (start, start + size))
                .collect();
            expected.sort_unstable();
            expected.dedup();
            expected.reverse();
            prop_assert_eq!(found, expected);
        }
    }

    #[test]
    fn the_ends_of_time_are_no_trouble() {
        let found = |at| begins(at, 10, 10).collect::<Vec<_>>();
        assert_eq!(found(i64::MAX), [(i64::MAX - 7, i64::MAX)]);
        assert_eq!(found(i64::MIN), [(i64::MIN, i64::MIN + 8)]);
        assert_eq!(begins(i64::MIN, 30, 10).count(), 3);
    }
}
