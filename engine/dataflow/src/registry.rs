//! The one macro of the project: a registry of leaves.

/// Declares one module per leaf, a slice of their `ENTRY`s and a slice of one of their fields (the
/// signatures, for the language's catalog). The words must be in alphabetical order.
macro_rules! registry {
    ($(#[$doc:meta])* pub $entries:ident: $entry:ty,
     $parts:ident: $part:ty = $field:ident, [$($leaf:ident),+ $(,)?]) => {
        $(mod $leaf;)+

        $(#[$doc])*
        pub static $entries: &[&$entry] = &[$(&$leaf::ENTRY),+];

        /// What the language's catalog needs of each entry, in the same order.
        pub static $parts: &[&$part] = &[$(&$leaf::ENTRY.$field),+];

        #[cfg(test)]
        mod registry_tests {
            #[test]
            fn the_registry_is_in_alphabetical_order() {
                let names = [$(stringify!($leaf)),+];
                assert!(names.is_sorted(), "{names:?}");
            }
        }
    };
}

pub(crate) use registry;
