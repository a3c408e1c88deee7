//! Conversations that were recorded.

/// One side's message, or the beginning of a connection.
#[derive(Clone, Debug)]
pub(crate) enum Line {
    Connects,
    Client(Vec<u8>),
    Server(Vec<u8>),
}

/// Reads a recording.
pub(crate) fn read(text: &str) -> Vec<Line> {
    let lines = text.lines().filter_map(|line| {
        if line.starts_with("## client:") || line.starts_with("## raw probe") {
            return Some(Line::Connects);
        }
        let mut words = line.split(' ');
        let side = words.next()?;
        let hex = words.nth(1).filter(|hex| *hex != "EOF")?;
        match side {
            "C" => Some(Line::Client(bytes(hex))),
            "S" => Some(Line::Server(bytes(hex))),
            _ => None,
        }
    });
    lines.collect()
}

fn bytes(hex: &str) -> Vec<u8> {
    let pairs = (0..hex.len()).step_by(2).map(|at| &hex[at..at + 2]);
    pairs.map(|pair| u8::from_str_radix(pair, 16).unwrap()).collect()
}
