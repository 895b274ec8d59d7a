//! The types of values: `ClickHouse`'s names of them, which an answer's `meta` has, and the families that Cloudflare's refusals name.

/// A unit of an interval: <https://developers.cloudflare.com/analytics/analytics-engine/sql-reference/literals/>.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Unit {
    Second,
    Minute,
    Hour,
    Day,
    Month,
    Year,
}

/// The type of a value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// A comparison's.
    Boolean,
    /// A whole number of so many bits that is never negative.
    Unsigned(u8),
    /// A whole number of so many bits.
    Signed(u8),
    Double,
    Text,
    /// Seconds since 1970, of a whole second.
    Time,
    /// The same at midnight.
    Date,
    Interval(Unit),
    /// What `topK` gives.
    List(Box<Kind>),
}

impl Kind {
    /// `ClickHouse`'s name.
    pub(super) fn name(&self) -> String {
        match self {
            Self::Boolean => "UInt8".to_owned(),
            Self::Unsigned(bits) => format!("UInt{bits}"),
            Self::Signed(bits) => format!("Int{bits}"),
            Self::Double => "Float64".to_owned(),
            Self::Text => "String".to_owned(),
            Self::Time => "DateTime".to_owned(),
            Self::Date => "Date".to_owned(),
            Self::Interval(_) => "Interval".to_owned(),
            Self::List(of) => format!("Array({})", of.name()),
        }
    }

    /// What a refusal calls it.
    pub(super) fn family(&self) -> &'static str {
        match self {
            Self::Boolean => "Boolean",
            Self::Unsigned(_) | Self::Signed(_) => "Integer",
            Self::Double => "Double",
            Self::Text => "String",
            Self::Time => "DateTime",
            Self::Date => "Date",
            Self::Interval(_) => "Interval",
            Self::List(_) => "Array",
        }
    }

    /// Whether it counts or measures.
    pub(super) fn is_number(&self) -> bool {
        matches!(
            self,
            Self::Boolean | Self::Unsigned(_) | Self::Signed(_) | Self::Double
        )
    }

    /// Whether it is a point in time.
    pub(super) fn is_time(&self) -> bool {
        matches!(self, Self::Time | Self::Date)
    }

    /// Its bits, where it is a whole number.
    pub(super) fn bits(&self) -> u8 {
        match self {
            Self::Boolean => 8,
            Self::Unsigned(bits) | Self::Signed(bits) => *bits,
            _ => 64,
        }
    }

    fn is_signed(&self) -> bool {
        matches!(self, Self::Signed(_))
    }

    /// What two numbers have in common.
    pub(super) fn common(&self, other: &Self) -> Self {
        if *self == *other {
            return self.clone();
        }
        if *self == Self::Double || *other == Self::Double {
            return Self::Double;
        }
        let bits = self.bits().max(other.bits());
        match self.is_signed() || other.is_signed() {
            true => Self::Signed(bits),
            false => Self::Unsigned(bits),
        }
    }

    /// What a sum or a product of two numbers is: `ClickHouse` takes the next size, so that it seldom overflows.
    pub(super) fn sum(&self, other: &Self) -> Self {
        match self.common(other) {
            Self::Double => Self::Double,
            Self::Signed(bits) => Self::Signed(wider(bits)),
            common => Self::Unsigned(wider(common.bits())),
        }
    }

    /// What a difference is.
    pub(super) fn difference(&self, other: &Self) -> Self {
        match self.common(other) {
            Self::Double => Self::Double,
            common => Self::Signed(wider(common.bits())),
        }
    }

    /// The smallest type of a whole number.
    pub(super) fn of_integer(value: i64) -> Self {
        match value {
            0..=0xff => Self::Unsigned(8),
            0x100..=0xffff => Self::Unsigned(16),
            0x1_0000..=0xffff_ffff => Self::Unsigned(32),
            _ => Self::Unsigned(64),
        }
    }
}

fn wider(bits: u8) -> u8 {
    bits.saturating_mul(2).min(64)
}
