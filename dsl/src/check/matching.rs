//! Arguments of a call against plain names, for calls that are no leaf of the catalog.

use super::Checker;
use crate::ast;

impl Checker<'_> {
    /// Arguments in the order of `params`; `None` when the call is wrong, which is said.
    pub(crate) fn match_args<'e>(
        &mut self,
        call: &'e ast::Call,
        params: &[&str],
    ) -> Option<Vec<&'e ast::Expr>> {
        let found = self.optional_args(call, params)?;
        let missing: Vec<&str> = params
            .iter()
            .zip(&found)
            .filter(|(_, value)| value.is_none())
            .map(|(name, _)| *name)
            .collect();
        if !missing.is_empty() {
            self.missing(call, &missing);
        }
        found.into_iter().collect()
    }

    /// The same for parameters that may be left out.
    pub(crate) fn optional_args<'e>(
        &mut self,
        call: &'e ast::Call,
        params: &[&str],
    ) -> Option<Vec<Option<&'e ast::Expr>>> {
        let mut found: Vec<Option<&ast::Expr>> = vec![None; params.len()];
        let mut good = true;
        for (position, arg) in call.args.iter().enumerate() {
            let at = match &arg.name {
                Some(name) => {
                    if let Some(at) = params.iter().position(|param| *param == name.text) {
                        at
                    } else {
                        self.unknown_argument(&call.name.text, name, params.iter().copied());
                        good = false;
                        continue;
                    }
                }
                None if position < params.len() => position,
                None => {
                    self.too_many(call, params.len(), arg.value.span);
                    good = false;
                    break;
                }
            };
            if found[at].replace(&arg.value).is_some() {
                self.given_twice(params[at], arg.value.span);
                good = false;
            }
        }
        good.then_some(found)
    }
}
