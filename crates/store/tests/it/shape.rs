//! Whether the Rust types of a statement fit what PostgreSQL says about it.

use postgres_types::Type;
use store::{Column, Describe};
use tokio_postgres::{Client, Statement};

/// Compares parameters and columns of a prepared statement with the declaration.
pub(crate) fn findings(declared: &dyn Describe, prepared: &Statement) -> Vec<String> {
    let mut findings = parameters(declared, prepared.params());
    let row = declared.columns();
    if row.iter().any(|column| column.name.is_none()) && row.len() != prepared.columns().len() {
        findings.push(format!("reads {} columns, gets {}", row.len(), prepared.columns().len()));
    }
    for (index, column) in row.iter().enumerate() {
        match position(column, index, prepared) {
            Some(found) => {
                let given = prepared.columns()[found].type_();
                if !(column.accepts)(given) {
                    findings.push(format!(
                        "column {} is {given}, read as {}",
                        label(column, found),
                        column.rust
                    ));
                }
            }
            None => findings.push(format!("there is no column {}", label(column, index))),
        }
    }
    findings
}

fn parameters(declared: &dyn Describe, given: &[Type]) -> Vec<String> {
    let parameters = declared.parameters();
    if parameters.len() != given.len() {
        return vec![format!("declares {} parameters, has {}", parameters.len(), given.len())];
    }
    let numbered = parameters.iter().zip(given).enumerate();
    numbered
        .filter(|(_, (parameter, ty))| !(parameter.accepts)(ty))
        .map(|(index, (parameter, ty))| format!("${} is {ty}, passed as {}", index + 1, parameter.rust))
        .collect()
}

/// Where a declared column stands in the result.
pub(crate) fn position(column: &Column, index: usize, prepared: &Statement) -> Option<usize> {
    match column.name {
        Some(name) => prepared.columns().iter().position(|found| found.name() == name),
        None => (index < prepared.columns().len()).then_some(index),
    }
}

/// How a finding names a column.
pub(crate) fn label(column: &Column, index: usize) -> String {
    column.name.map_or_else(|| (index + 1).to_string(), str::to_owned)
}

/// Whether a result column comes straight from a table column that is never null.
pub(crate) async fn never_null_in_table(admin: &Client, column: &tokio_postgres::Column) -> bool {
    let (Some(table), Some(number)) = (column.table_oid(), column.column_id()) else { return false };
    let sql = "select attnotnull from pg_attribute where attrelid = $1 and attnum = $2";
    admin.query_one(sql, &[&table, &number]).await.unwrap().get(0)
}
