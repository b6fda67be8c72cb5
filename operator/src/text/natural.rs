//! The order of names with numbers in them.

use std::cmp::Ordering;

/// Compares names as people count: runs of digits by their value, so that `billing.2` comes before
/// `billing.10`. Names that differ only in leading zeros are compared as text.
pub fn natural_order(a: &str, b: &str) -> Ordering {
    // Names of a fleet have much in common: that is passed over, up to a number that goes on.
    let equal = a.bytes().zip(b.bytes()).take_while(|(x, y)| x == y).count();
    let number = a.as_bytes()[..equal].iter().rev().take_while(|byte| byte.is_ascii_digit());
    let start = equal - number.count();
    let (mut rest_a, mut rest_b) = (&a.as_bytes()[start..], &b.as_bytes()[start..]);
    while let (Some(first_a), Some(first_b)) = (rest_a.first(), rest_b.first()) {
        let (run_a, run_b) = (digits(rest_a), digits(rest_b));
        let (order, taken_a, taken_b) = match run_a.is_empty() || run_b.is_empty() {
            true => (first_a.cmp(first_b), 1, 1),
            false => (compare_numbers(run_a, run_b), run_a.len(), run_b.len()),
        };
        if order.is_ne() {
            return order;
        }
        (rest_a, rest_b) = (&rest_a[taken_a..], &rest_b[taken_b..]);
    }
    rest_a.len().cmp(&rest_b.len()).then_with(|| a.cmp(b))
}

/// Returns the digits at the start of a text.
fn digits(text: &[u8]) -> &[u8] {
    let end = text.iter().position(|byte| !byte.is_ascii_digit()).unwrap_or(text.len());
    &text[..end]
}

/// Compares the values of two runs of digits, however long they are.
fn compare_numbers(a: &[u8], b: &[u8]) -> Ordering {
    let [a, b] = [a, b].map(|run| {
        let zeros = run.iter().take_while(|&&digit| digit == b'0').count();
        &run[zeros..]
    });
    a.len().cmp(&b.len()).then_with(|| a.cmp(b))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn numbers_in_names_are_compared_by_their_value() {
        let sorted = [
            "",
            "-1",
            "01",
            "1",
            "2",
            "10",
            "99999999999999999999998",
            "99999999999999999999999",
            "billing",
            "billing.1",
            "billing.2",
            "billing.2.9",
            "billing.2.10",
            "billing.2a",
            "billing.10",
            "mail",
            "日本2",
            "日本10",
        ];
        for (at, name) in sorted.iter().enumerate() {
            for (other_at, other) in sorted.iter().enumerate() {
                assert_eq!(natural_order(name, other), at.cmp(&other_at), "{name} and {other}");
            }
        }
    }

    proptest! {
        #[test]
        fn the_order_is_total_and_only_the_same_name_is_equal(
            a in "[ab.0-2]{0,6}", b in "[ab.0-2]{0,6}", c in "[ab.0-2]{0,6}",
        ) {
            prop_assert_eq!(natural_order(&a, &b), natural_order(&b, &a).reverse());
            prop_assert_eq!(natural_order(&a, &b).is_eq(), a == b);
            if natural_order(&a, &b).is_le() && natural_order(&b, &c).is_le() {
                prop_assert!(natural_order(&a, &c).is_le());
            }
        }

        #[test]
        fn numbers_are_in_the_order_of_their_values(a: u64, b: u64) {
            let name = |n| format!("agent-{n}.x");
            prop_assert_eq!(natural_order(&name(a), &name(b)), a.cmp(&b));
        }
    }
}
