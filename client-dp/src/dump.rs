// SPDX-License-Identifier: MIT OR Apache-2.0
//! Everything that the state's folder holds, for its owner to take away. It asks the folder what is there, so that no table
//! and no file can be forgotten here.

use std::path::Path;

use rusqlite::Connection;
use rusqlite::types::ValueRef;
use serde_json::{Map, Value};
use stipple_catalog::hex;

use crate::state::{FILE_NAME, unusable};
use crate::workstation::{Workstation, WorkstationError};

impl Workstation {
    /// Every row of every table and the text of every other file, as JSON: `{"tables": {...}, "files": {...}}`. Bytes are in
    /// hexadecimal.
    ///
    /// # Errors
    /// [`WorkstationError`] when the state cannot be read.
    pub fn dump(&self) -> Result<String, WorkstationError> {
        let tables = self.connection().map_or(Ok(Map::new()), tables)?;
        let files = match &self.folder {
            Some(folder) => files(folder).map_err(|error| unusable(folder, error))?,
            None => Map::new(),
        };
        Ok(serde_json::json!({ "tables": tables, "files": files }).to_string())
    }
}

fn tables(connection: &Connection) -> rusqlite::Result<Map<String, Value>> {
    let mut names = connection
        .prepare("SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite%' ORDER BY name")?;
    let names: Vec<String> = names.query_map([], |row| row.get(0))?.collect::<Result<_, _>>()?;
    names.into_iter().map(|name| Ok((name.clone(), rows(connection, &name)?))).collect()
}

fn rows(connection: &Connection, table: &str) -> rusqlite::Result<Value> {
    let mut statement = connection.prepare(&format!("SELECT * FROM \"{table}\""))?;
    let columns: Vec<String> = statement.column_names().map(str::to_owned).collect();
    let rows = statement.query_map([], |row| {
        let cell = |(n, column): (usize, &String)| Ok((column.clone(), json(row.get_ref(n)?)));
        columns.iter().enumerate().map(cell).collect::<rusqlite::Result<Map<_, _>>>().map(Value::Object)
    })?;
    rows.collect()
}

fn json(value: ValueRef<'_>) -> Value {
    match value {
        ValueRef::Null => Value::Null,
        ValueRef::Integer(number) => number.into(),
        ValueRef::Real(number) => number.into(),
        ValueRef::Text(text) => String::from_utf8_lossy(text).into(),
        ValueRef::Blob(bytes) => hex(bytes).into(),
    }
}

/// The files beside the database; its own are in the tables.
fn files(folder: &Path) -> std::io::Result<Map<String, Value>> {
    let entries = match std::fs::read_dir(folder) {
        // Before the first yes there need not be a folder.
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Map::new()),
        entries => entries?,
    };
    let mut files = Map::new();
    for entry in entries {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        if entry.file_type()?.is_file() && !name.starts_with(FILE_NAME) {
            files.insert(name, String::from_utf8_lossy(&std::fs::read(entry.path())?).into());
        }
    }
    Ok(files)
}
