//! A try, and perhaps a second one beside it when it takes unusually long.
//!
//! Only for calls that may be made twice, within a budget, and only when a place is free that
//! nobody waits for. The first success counts; the other try is cut off.

use std::sync::Arc;

use sage_core::upstream::Shunned;
use tokio::time::{sleep, timeout_at};

use super::attempt::Tried;
use super::forward::{Under, try_once};
use super::order::Order;
use super::target::Target;
use super::turnstile::{Extra, Pass};

/// Which of two tries came out.
enum Won {
    First(Tried),
    Second(Tried),
}

/// The outcome of a try that has taken `first`, and what the try that made it holds. No outcome: the
/// time of the call has ended before.
pub(super) async fn attempt(
    target: &Arc<Target>,
    order: &Order,
    pass: &mut Pass,
    first: Under,
    shunned: &Shunned,
) -> (Option<Tried>, Under) {
    pass.begin_try();
    first.visit.replica().tried();
    let after = if order.idempotent { target.hedge_after() } else { None };
    let Some(after) = after else {
        let tried = timeout_at(order.deadline, try_once(order, &first)).await;
        return (tried.ok(), first);
    };
    let race = async {
        let mut trying = std::pin::pin!(try_once(order, &first));
        tokio::select! {
            tried = &mut trying => (Won::First(tried), None),
            () = sleep(after) => match beside(target, order, pass, &first, shunned) {
                None => (Won::First(trying.await), None),
                Some((second, extra)) => {
                    let won = race(order, trying, &second).await;
                    drop(extra);
                    (won, Some(second))
                }
            }
        }
    };
    let Ok((won, second)) = timeout_at(order.deadline, race).await else { return (None, first) };
    match (won, second) {
        (Won::Second(tried), Some(second)) => {
            // What the first has used is not known: its part of the rates stays taken.
            drop(first);
            (Some(tried), second)
        }
        (Won::First(tried) | Won::Second(tried), _) => (Some(tried), first),
    }
}

/// Everything a second try needs, if it is all there now.
fn beside(
    target: &Arc<Target>,
    order: &Order,
    pass: &mut Pass,
    first: &Under,
    shunned: &Shunned,
) -> Option<(Under, Extra)> {
    let taken = target.rates.try_take(order.tokens())?;
    let visit = target.choose_now(order.tokens(), order.prefix, shunned, first.visit.at);
    let Some(visit) = visit else {
        taken.undo();
        return None;
    };
    let extra = if target.spend_hedge() { pass.extra() } else { None };
    let Some(extra) = extra else {
        taken.undo();
        return None;
    };
    // Here and not where it is sent: the first may come out before the second is begun.
    visit.replica().tried();
    Some((Under { visit, taken }, extra))
}

/// The first success of both; a failure only when both have failed.
async fn race(
    order: &Order,
    mut trying: std::pin::Pin<&mut impl Future<Output = Tried>>,
    second: &Under,
) -> Won {
    let mut beside = std::pin::pin!(try_once(order, second));
    let (mut first_failed, mut second_failed) = (false, false);
    loop {
        tokio::select! {
            tried = &mut trying, if !first_failed => {
                if tried.failure().is_none() || second_failed {
                    return Won::First(tried);
                }
                first_failed = true;
            }
            tried = &mut beside, if !second_failed => {
                if tried.failure().is_none() || first_failed {
                    return Won::Second(tried);
                }
                second_failed = true;
            }
        }
    }
}
