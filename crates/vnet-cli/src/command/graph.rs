//! `vnet graph`: what is connected to what on this host.

use std::fs;
use std::path::PathBuf;

use anyhow::Context;
use vnet_driver::Picture;

use crate::directories::Directories;
use crate::failure;
use crate::output::{Answer, columns, print, print_exact, print_json};
use crate::style::ERROR;

/// Show what is connected to what: uplinks, networks, guests; what is drifted or blocked in red
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The networks: their names or UUIDs; all if none is given
    #[arg(value_name = "NETWORK")]
    networks: Vec<String>,
    /// How it is shown
    #[arg(long, value_enum, default_value_t, value_name = "FORMAT")]
    format: GraphFormat,
    /// Write it to a file
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
enum GraphFormat {
    /// A tree for terminals
    #[default]
    Tree,
    /// A flowchart of Mermaid, for Markdown
    Mermaid,
    /// A graph of Graphviz
    Dot,
    /// A picture
    Svg,
    /// A page that needs nothing else, with details under the pointer
    Html,
    /// One JSON document
    Json,
}

/// The width of a tree that is not printed on a terminal.
const WIDTH: usize = 80;

impl Args {
    /// Draws and prints.
    pub(crate) fn run(&self, directories: &Directories) -> anyhow::Result<Answer> {
        let driver = directories.driver()?;
        let mut only = Vec::new();
        for given in &self.networks {
            match driver.lookup(given) {
                Ok(name) => only.push(name),
                Err(error) => return failure::answer(error),
            }
        }
        let picture = driver.picture(&only)?;
        let text = match self.format {
            GraphFormat::Json if self.output.is_none() => return print_json(&picture).map(|()| Answer::Yes),
            GraphFormat::Json => serde_json::to_string_pretty(&picture)? + "\n",
            GraphFormat::Tree if self.output.is_none() => {
                return print(tree(&picture)).map(|()| Answer::Yes).map_err(Into::into);
            }
            GraphFormat::Tree => picture.tree(WIDTH).into_iter().map(|line| line.text + "\n").collect(),
            GraphFormat::Mermaid => picture.mermaid(),
            GraphFormat::Dot => picture.dot(),
            GraphFormat::Svg => picture.svg(),
            GraphFormat::Html => picture.html(&[]),
        };
        match &self.output {
            Some(file) => fs::write(file, text).with_context(|| format!("`{}` cannot be written", file.display()))?,
            None => print_exact(&text)?,
        }
        Ok(Answer::Yes)
    }
}

fn tree(picture: &Picture) -> String {
    let lines = picture.tree(columns().unwrap_or(WIDTH));
    if lines.is_empty() {
        return "no network runs or is defined\n".to_owned();
    }
    let styled = lines.into_iter().map(|line| match line.troubled {
        true => format!("{ERROR}{}{ERROR:#}\n", line.text),
        false => line.text + "\n",
    });
    styled.collect()
}
