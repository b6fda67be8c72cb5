//! How sinks do, as a table.

use heartline_operator::message::SinkReport;

use super::print_table;
use crate::console::Console;
use crate::error::CliError;
use crate::table::{Table, TableColumn};

const SINK_COLUMNS: [TableColumn; 6] = [
    TableColumn::left("SINK", 0),
    TableColumn::left("TYPE", 1),
    TableColumn::right("PENDING", 0),
    TableColumn::right("DELIVERED", 1),
    TableColumn::right("LOST", 1),
    TableColumn::left("TROUBLE", 0),
];

pub(super) fn print(sinks: &[SinkReport], console: &mut Console) -> Result<(), CliError> {
    if sinks.is_empty() {
        return Ok(());
    }
    let mut table = Table::new(&SINK_COLUMNS);
    for sink in sinks {
        let trouble = sink.broken.as_ref().or(sink.last_failure.as_ref());
        table.push(&[
            sink.name.clone(),
            sink.kind.clone(),
            sink.pending.to_string(),
            sink.delivered.to_string(),
            sink.lost.to_string(),
            trouble.map_or("-", |why| why).to_owned(),
        ]);
    }
    console.print("")?;
    print_table(&table, sinks.len(), console)
}
