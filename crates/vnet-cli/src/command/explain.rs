//! `vnet explain CODE`: explains a code, with an example.

use serde::Serialize;
use vnet_validate::{RULES, Rule};

use crate::diagnostic::word;
use crate::failure;
use crate::output::{Answer, Format, FormatOption, print, print_json};

/// Explain a code such as VN0107; without one, list all
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The code, its number or its name: VN0107, 107
    #[arg(value_name = "CODE")]
    code: Option<String>,
    #[command(flatten)]
    format: FormatOption,
}

#[derive(Serialize)]
struct List {
    rules: Vec<RuleJson>,
}

#[derive(Serialize)]
struct RuleJson {
    code: String,
    name: &'static str,
    severity: &'static str,
    explanation: &'static str,
}

impl Args {
    /// Prints the explanation.
    pub(crate) fn run(&self) -> anyhow::Result<Answer> {
        let Some(code) = &self.code else {
            match self.format.format {
                Format::Json => print_json(&List { rules: RULES.iter().map(RuleJson::from).collect() })?,
                Format::Human => print(list())?,
            }
            return Ok(Answer::Yes);
        };
        let given = code.to_ascii_uppercase();
        let wanted = match given.trim_start_matches("VN").parse::<u16>() {
            Ok(number) => format!("VN{number:04}"),
            Err(_) => given,
        };
        let rule = RULES.iter().find(|rule| rule.code.to_string() == wanted || rule.name == code);
        let rule =
            rule.ok_or_else(|| failure::advised(format!("there is no code `{code}`"), "`vnet explain` lists all"))?;
        match self.format.format {
            Format::Json => print_json(&RuleJson::from(rule))?,
            Format::Human => {
                let heading = format!("{} ({}): {}", rule.code, word(rule.severity), rule.name);
                print(format!("{heading}\n\n{}\n", rule.explanation.trim()))?;
            }
        }
        Ok(Answer::Yes)
    }
}

impl From<&'static Rule> for RuleJson {
    fn from(rule: &'static Rule) -> Self {
        Self {
            code: rule.code.to_string(),
            name: rule.name,
            severity: word(rule.severity),
            explanation: rule.explanation.trim(),
        }
    }
}

fn list() -> String {
    RULES.iter().map(|rule| format!("{}  {:7}  {}\n", rule.code, word(rule.severity), rule.name)).collect()
}
