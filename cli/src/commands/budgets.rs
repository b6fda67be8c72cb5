//! `heartline budgets`: what agents may use up, and how much of it they have.

use heartline_operator::client::ClientError;
use heartline_operator::json;
use heartline_operator::message::{AgentBudget, BudgetStatus, BudgetTerms, Reply, Request};

use crate::args::BudgetsArgs;
use crate::console::Console;
use crate::error::{CliError, CommandExit};
use crate::settings::Settings;
use crate::style::StateFormatter;
use crate::table::{Table, TableColumn};

/// Columns of a bar.
const BAR: usize = 10;

const COLUMNS: [TableColumn; 8] = [
    TableColumn::left("BUDGET", 0),
    TableColumn::left("FOR", 1),
    TableColumn::right("USED", 0),
    TableColumn::right("OF", 0),
    TableColumn::left("SHARE", 0),
    TableColumn::left("UNTIL", 3),
    TableColumn::left("AT 100 %", 2),
    TableColumn::left("MOST BY", 4),
];

/// Runs the command.
pub(crate) async fn run(
    args: &BudgetsArgs,
    settings: &Settings,
    console: &mut Console,
) -> Result<CommandExit, CliError> {
    let client = settings.connect().await?;
    let Reply::Budgets { budgets } = client.request(Request::Budgets).await? else {
        return Err(ClientError::Unexpected { what: "budgets" }.into());
    };
    if args.json {
        let Reply::Pong { at_ms } = client.request(Request::Ping).await? else {
            return Err(ClientError::Unexpected { what: "ping" }.into());
        };
        console.print_json(&json::budgets(&budgets, at_ms))?;
    } else if budgets.is_empty() {
        console.say(
            "There are no budgets: tables [[budget]] of the collector's config file set some.",
        );
    } else {
        let table = table(&budgets, console.formatter);
        console.print_lines(table.lines(0..budgets.len(), console.terminal.columns))?;
    }
    Ok(CommandExit::Success)
}

fn table(budgets: &[BudgetStatus], formatter: StateFormatter) -> Table<'static> {
    let mut table = Table::new(&COLUMNS);
    for BudgetStatus { terms, used, agents, top } in budgets {
        let most: Vec<String> = top
            .iter()
            .map(|(agent, used)| format!("{agent} {}", terms.unit.format(*used)))
            .collect();
        table.push(&[
            terms.name.clone(),
            format!("{} ({agents})", terms.scope.text()),
            terms.unit.format(*used),
            format!("{} per {}", terms.unit.format(terms.limit), terms.period.name()),
            share(*used, terms, formatter),
            terms.ends.clone(),
            terms.consequence(),
            most.join(", "),
        ]);
    }
    table
}

/// Describes a budget of one agent.
pub(super) fn agent_budget(budget: &AgentBudget, formatter: StateFormatter) -> String {
    let AgentBudget { terms, own, used, is_lifted } = budget;
    let mut text = format!(
        "{} {} of {} per {}",
        share(*used, terms, formatter),
        terms.unit.format(*used),
        terms.unit.format(terms.limit),
        terms.period.name()
    );
    if own != used {
        text +=
            &format!(" by {}, {} of it by this one", terms.scope.text(), terms.unit.format(*own));
    }
    text += &format!("; until {}; at 100 %: {}", terms.ends, terms.consequence());
    if *is_lifted {
        text += "; lifted until then, because it was resumed";
    }
    text
}

/// Returns the share that is used as a bar and a number.
fn share(used: u64, terms: &BudgetTerms, formatter: StateFormatter) -> String {
    let percent = terms.percent(used);
    let filled = usize::try_from(percent.min(100)).unwrap_or(100) * BAR / 100;
    let (full, empty) = formatter.bar();
    format!("{}{} {percent:>3} %", full.repeat(filled), empty.repeat(BAR - filled))
}

#[cfg(test)]
mod tests {
    use heartline_operator::message::BudgetTarget;
    use heartline_operator::text::GlyphSet;
    use heartline_vocabulary::{AtLimit, BudgetPeriod, BudgetResume, BudgetUnit};

    use super::*;

    fn terms(name: &str, scope: BudgetTarget, at_limit: AtLimit) -> BudgetTerms {
        BudgetTerms {
            name: name.to_owned(),
            scope,
            unit: BudgetUnit::Cost,
            limit: 50_000_000_000,
            period: BudgetPeriod::Day,
            at_limit,
            resume: BudgetResume::NextWindow,
            from_ms: 0,
            to_ms: 86_400_000,
            ends: "2026-04-02 00:00 Europe/Berlin".to_owned(),
        }
    }

    #[test]
    fn each_budget_is_a_row_with_what_is_used_and_what_follows() {
        let each = terms("mail-day", BudgetTarget::Each("mail.*".to_owned()), AtLimit::Kill);
        let fleet = terms("all", BudgetTarget::Fleet, AtLimit::Warn);
        let top = vec![("mail.7".to_owned(), 41_200_000_000), ("mail.1".to_owned(), 9_000_000)];
        let budgets = [
            BudgetStatus { terms: each, used: 41_200_000_000, agents: 12, top },
            BudgetStatus { terms: fleet, used: 61_000_000_000, agents: 40, top: Vec::new() },
        ];
        let lines: String =
            table(&budgets, StateFormatter(GlyphSet::Ascii)).lines(0..2, None).collect();
        insta::assert_snapshot!(lines);
    }

    #[test]
    fn an_agent_has_its_own_part_of_a_shared_budget() {
        let fleet = terms("all", BudgetTarget::Fleet, AtLimit::Kill);
        let budget =
            AgentBudget { terms: fleet, own: 5_000_000_000, used: 25_000_000_000, is_lifted: true };
        assert_eq!(
            agent_budget(&budget, StateFormatter(GlyphSet::Ascii)),
            "#####-----  50 % $25.00 of $50.00 per day by fleet, $5.00 of it by this one; until \
             2026-04-02 00:00 Europe/Berlin; at 100 %: kill until the next window; lifted until then, \
             because it was resumed"
        );
    }
}
