//! Counting by reason.

/// Declares an enum of reasons and the table that counts them, each with the name used in every report.
macro_rules! counters {
    ($(#[$doc:meta])* $vis:vis enum $reason:ident / $table:ident { $($(#[$variant_doc:meta])* $variant:ident = $name:literal,)+ }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        $vis enum $reason { $($(#[$variant_doc])* $variant,)+ }

        /// How often each reason occurred.
        #[derive(Clone, Debug, Default)]
        $vis struct $table([u64; [$($name),+].len()]);

        impl $table {
            const NAMES: [&'static str; [$($name),+].len()] = [$($name),+];

            $vis fn count(&mut self, reason: $reason) {
                self.0[reason as usize] += 1;
            }

            $vis fn iter(&self) -> impl Iterator<Item = (&'static str, u64)> + '_ {
                Self::NAMES.into_iter().zip(self.0)
            }
        }
    };
}

pub(super) use counters;
