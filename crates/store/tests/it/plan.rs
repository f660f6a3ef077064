//! What the generic plan of a statement shows: outputs, outer joins, how tables are read.

use std::collections::BTreeSet;

use serde_json::Value;
use tokio_postgres::Client;
use tokio_postgres::error::SqlState;

/// A generic plan as JSON.
pub(crate) struct Plan(Value);

/// What asking for a plan led to.
pub(crate) enum Explained {
    /// The role may run the statement, so.
    As(Plan),
    /// The role may not run it.
    Forbidden,
}

/// Lets a connection plan as a role, for one client, with an index wherever one can serve.
pub(crate) async fn plan_as(client: &Client, role: &str) {
    let settings = format!(
        "set role {role}; set app.client_id = '01900000-0000-7000-8000-000000000000';
         set enable_seqscan = off; set plan_cache_mode = force_generic_plan"
    );
    client.batch_execute(&settings).await.unwrap();
}

/// Asks for the generic plan of a statement.
pub(crate) async fn explain(client: &Client, sql: &str, parameters: usize) -> Explained {
    client.batch_execute("deallocate all").await.unwrap();
    let nulls = vec!["null"; parameters].join(", ");
    let arguments = if parameters == 0 { String::new() } else { format!("({nulls})") };
    let prepared = client.batch_execute(&format!("prepare asked as {sql}")).await;
    let explain = format!("explain (verbose, costs off, format json) execute asked{arguments}");
    let outcome = match prepared {
        Ok(()) => client.query_one(&explain, &[]).await,
        Err(error) => Err(error),
    };
    match outcome {
        Ok(row) => Explained::As(Plan(row.get::<_, Value>(0)[0]["Plan"].clone())),
        Err(error) if error.code() == Some(&SqlState::INSUFFICIENT_PRIVILEGE) => Explained::Forbidden,
        Err(error) => panic!("{error:?}\n{sql}"),
    }
}

impl Plan {
    /// The expression of an output column.
    pub(crate) fn output(&self, index: usize) -> &str {
        self.0["Output"][index].as_str().unwrap_or("")
    }

    /// The function of ours that an output column comes from.
    pub(crate) fn function(&self, index: usize) -> &str {
        let scanned = text(&self.0, "Function Name");
        if scanned.is_empty() { self.output(index).split('(').next().unwrap_or("") } else { scanned }
    }

    /// Names of relations on the side of an outer join that may be missing.
    pub(crate) fn optional_relations(&self) -> BTreeSet<String> {
        let mut found = BTreeSet::new();
        walk(&self.0, &mut |node| {
            let sides: &[&str] = match text(node, "Join Type") {
                "Left" => &["Inner"],
                "Right" => &["Outer"],
                "Full" => &["Inner", "Outer"],
                _ => &[],
            };
            for child in children(node).filter(|child| sides.contains(&text(child, "Parent Relationship"))) {
                walk(child, &mut |below| {
                    found.extend(below["Alias"].as_str().map(str::to_owned));
                });
            }
        });
        found
    }

    /// Relations that are not tables: a join inside them cannot be seen through their columns.
    pub(crate) fn subqueries(&self) -> BTreeSet<String> {
        let mut found = BTreeSet::new();
        walk(&self.0, &mut |node| {
            if ["CTE Scan", "Subquery Scan"].contains(&text(node, "Node Type")) {
                found.insert(text(node, "Alias").to_owned());
            }
        });
        found
    }

    /// Tables that are read from end to end, or wholly within the client although something else was asked for.
    pub(crate) fn unserved(&self) -> BTreeSet<String> {
        let mut found = BTreeSet::new();
        walk(&self.0, &mut |node| {
            let relation = text(node, "Relation Name");
            match text(node, "Node Type") {
                "Seq Scan" => {
                    found.insert(format!("Seq Scan on {relation}"));
                }
                "Index Scan" | "Index Only Scan" | "Bitmap Heap Scan" if filters_within_the_client(node) => {
                    found.insert(format!("every row of the client in {relation}"));
                }
                _ => {}
            }
        });
        found
    }
}

/// Whether an index finds the client only and a filter does the rest.
fn filters_within_the_client(node: &Value) -> bool {
    let condition = match text(node, "Index Cond") {
        "" => text(node, "Recheck Cond"),
        condition => condition,
    };
    let other_conditions = condition.matches(" AND ").count();
    let by_client_only = condition.contains("client_id") && other_conditions == 0;
    by_client_only && !text(node, "Filter").is_empty()
}

fn text<'a>(node: &'a Value, key: &str) -> &'a str {
    node[key].as_str().unwrap_or("")
}

fn children(node: &Value) -> impl Iterator<Item = &Value> {
    node["Plans"].as_array().into_iter().flatten()
}

fn walk(node: &Value, visit: &mut impl FnMut(&Value)) {
    visit(node);
    for child in children(node) {
        walk(child, visit);
    }
}
