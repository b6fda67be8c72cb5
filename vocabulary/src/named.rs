//! Names of enumerated values.

/// Declares an enumeration whose values have names: `ALL`, `name` and `from_name`.
macro_rules! named {
    (
        $(#[$attribute:meta])*
        $type:ident {
            $($(#[$value_attribute:meta])* $value:ident = $name:literal,)+
        }
    ) => {
        $(#[$attribute])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
        pub enum $type {
            $($(#[$value_attribute])* #[cfg_attr(feature = "serde", serde(rename = $name))] $value,)+
        }

        impl $type {
            /// All values, in the order in which they are declared.
            pub const ALL: [Self; Self::NAMES.len()] = [$(Self::$value),+];

            /// The names of all values, in the same order.
            pub const NAMES: &[&'static str] = &[$($name),+];

            /// Returns the name in the database, in JSON, filters and tables.
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$value => $name,)+
                }
            }

            /// Returns the value of that name.
            pub fn from_name(name: &str) -> Option<Self> {
                match name {
                    $($name => Some(Self::$value),)+
                    _ => None,
                }
            }
        }
    };
}

pub(crate) use named;
