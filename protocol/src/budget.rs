//! What is left of a budget, as acks tell it (`SPEC.md`, "Budgets").

use heartline_vocabulary::BudgetUnit;

use crate::wire::{ArrayFields, BodyReader, DecodeResult, write};

/// What an agent may still use of its tightest budget.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BudgetLeft {
    /// What the budget limits.
    pub unit: BudgetUnit,
    /// The amount that is left, beyond the work of this session up to the segment that
    /// [`Self::counts_pending`] tells.
    pub amount: u64,
    /// The amount is what is left after the segment that follows the durable one, not after that one.
    pub counts_pending: bool,
}

/// Number of a unit on the wire, where 0 stands for no budget.
const UNITS: [(u64, BudgetUnit); 3] =
    [(1, BudgetUnit::Tasks), (2, BudgetUnit::Tokens), (3, BudgetUnit::Cost)];

impl BudgetLeft {
    /// Reads unit and amount. A unit of a later version says as little as none.
    pub(crate) fn read(
        fields: &mut ArrayFields<'_, '_>,
        counts_pending: bool,
    ) -> DecodeResult<Option<Self>> {
        let number = fields.optional(BodyReader::u64)?.unwrap_or(0);
        let amount = fields.optional(BodyReader::u64)?.unwrap_or(0);
        let unit = UNITS.iter().find(|(it, _)| *it == number).map(|&(_, unit)| unit);
        Ok(unit.map(|unit| Self { unit, amount, counts_pending }))
    }

    /// Writes unit and amount.
    pub(crate) fn write(self, out: &mut Vec<u8>) {
        let number = UNITS.iter().find(|(_, unit)| *unit == self.unit).map_or(0, |&(it, _)| it);
        write::uint(out, number);
        write::uint(out, self.amount);
    }
}
