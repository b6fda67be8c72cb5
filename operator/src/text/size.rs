//! Sizes of memory and shares of CPU.

/// The units of sizes: names, and bytes. A name with an `i` counts by 1024.
const UNITS: [(&str, u64); 9] = [
    ("TiB", 1 << 40),
    ("GiB", 1 << 30),
    ("MiB", 1 << 20),
    ("KiB", 1 << 10),
    ("TB", 1_000_000_000_000),
    ("GB", 1_000_000_000),
    ("MB", 1_000_000),
    ("kB", 1_000),
    ("B", 1),
];

/// Formats a size in at most eight columns below 10 PiB: `640 B`, `84.2 MiB`, `3.0 GiB`. Rounds down.
pub fn size(bytes: u64) -> String {
    let unit = UNITS.iter().find(|(name, unit)| name.ends_with("iB") && bytes >= *unit);
    match unit {
        Some((name, unit)) => {
            let tenths = u128::from(bytes) * 10 / u128::from(*unit);
            match tenths {
                0..10_000 => format!("{}.{} {name}", tenths / 10, tenths % 10),
                _ => format!("{} {name}", tenths / 10),
            }
        }
        None => format!("{bytes} B"),
    }
}

/// Parses `512MiB`, `1.5GB`, `640 B`, in bytes. Its unit may be in either case.
pub fn parse_size(text: &str) -> Option<f64> {
    let text = text.trim();
    let digits = text.find(|c: char| c.is_ascii_alphabetic())?;
    let (number, unit) = text.split_at(digits);
    let (_, bytes) = UNITS.iter().find(|(name, _)| name.eq_ignore_ascii_case(unit))?;
    let number: f64 = number.trim_end().parse().ok()?;
    (number >= 0.0).then_some(number * *bytes as f64)
}

/// Formats CPU time in thousandths of one core as percent of it: `3.7 %`, `240.0 %`.
pub fn cpu_share(permille: u32) -> String {
    format!("{}.{} %", permille / 10, permille % 10)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_shown_in_their_largest_unit() {
        let table = [
            (0, "0 B"),
            (1_023, "1023 B"),
            (1_024, "1.0 KiB"),
            (88_290_099, "84.1 MiB"),
            ((1 << 30) - 1, "1023 MiB"),
            ((1_000 << 20) - 1, "999.9 MiB"),
            (3 << 30, "3.0 GiB"),
            (u64::MAX, "16777215 TiB"),
        ];
        for (bytes, text) in table {
            assert_eq!(size(bytes), text, "{bytes}");
        }
    }

    #[test]
    fn sizes_need_a_unit() {
        let table = [
            ("1GiB", Some(1_073_741_824.0)),
            ("1gib", Some(1_073_741_824.0)),
            (" 1.5 kB ", Some(1_500.0)),
            ("2GB", Some(2e9)),
            ("0B", Some(0.0)),
            ("1024", None),
            ("1G", None),
            ("GiB", None),
            ("-1B", None),
            ("1GiB2", None),
            ("", None),
        ];
        for (text, bytes) in table {
            assert_eq!(parse_size(text), bytes, "{text:?}");
        }
    }

    #[test]
    fn shares_are_of_one_core() {
        assert_eq!([0, 37, 2_400].map(cpu_share), ["0.0 %", "3.7 %", "240.0 %"]);
    }
}
