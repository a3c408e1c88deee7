//! Where the parts of a picture are: three columns, from the outside to the guests.
//!
//! The layers are known beforehand and a guest has one network, so nothing is left for a general
//! layout to decide but the order. Networks are ordered by their uplinks, and uplinks by their
//! networks, which leaves few crossings.

use super::{PartKind, Picture};

/// Left edge and width of the columns.
const COLUMNS: [(usize, usize); 3] = [(24, 250), (424, 320), (854, 320)];
/// The width of the whole picture.
pub(super) const WIDTH: usize = 1198;
/// Where the first row begins.
const TOP: usize = 72;
/// The height of a line of text, and the space around the lines of a part.
pub(super) const LINE: usize = 18;
const PADDING: usize = 10;
/// The space between parts, and between one network with its guests and the next.
const GAP: usize = 10;
const BETWEEN: usize = 26;
/// The most troubles that are shown; all are among the details.
const TROUBLES: usize = 2;
/// The most characters in a line.
const CHARACTERS: [usize; 3] = [32, 42, 42];

/// A part and its place.
pub(super) struct Placed {
    pub(super) x: usize,
    pub(super) y: usize,
    pub(super) width: usize,
    pub(super) height: usize,
    /// Its name, or the beginning of it.
    pub(super) name: String,
    /// The lines below, and whether each tells a trouble.
    pub(super) lines: Vec<(String, bool)>,
}

impl Placed {
    pub(super) fn middle(&self) -> usize {
        self.y + self.height / 2
    }
}

/// The places of all parts, in their order, and the height of the picture.
pub(super) fn layout(picture: &Picture) -> (Vec<Placed>, usize) {
    let mut placed: Vec<Placed> = picture
        .parts
        .iter()
        .map(|part| {
            let column = column(part.kind);
            let (x, width) = COLUMNS[column];
            let most = CHARACTERS[column];
            let facts = part.facts.iter().flat_map(|fact| wrapped(fact, most)).map(|line| (line, false));
            let more = part.troubles.len().saturating_sub(TROUBLES);
            let more = (more > 0).then(|| format!("and {more} more"));
            let troubles = part.troubles.iter().take(TROUBLES).cloned().chain(more);
            let troubles: Vec<_> =
                troubles.flat_map(|trouble| wrapped(&trouble, most)).map(|line| (line, true)).collect();
            let lines: Vec<_> = facts.chain(troubles).collect();
            let name = wrapped(&part.name, most - 6).swap_remove(0);
            Placed { x, y: TOP, width, height: 2 * PADDING + LINE * (1 + lines.len()), name, lines }
        })
        .collect();
    let mut end = TOP;
    for group in groups(picture) {
        let guests: Vec<usize> =
            picture.behind(group).filter(|it| picture.parts[it.to].kind == PartKind::Guest).map(|it| it.to).collect();
        let is_network = picture.parts[group].kind == PartKind::Network;
        let height = guests.iter().map(|guest| placed[*guest].height + GAP).sum::<usize>().saturating_sub(GAP);
        let own = if is_network { placed[group].height } else { 0 };
        let block = height.max(own);
        if is_network {
            placed[group].y = end + (block - own) / 2;
        }
        let mut y = end + (block - height) / 2;
        for guest in guests {
            placed[guest].y = y;
            y += placed[guest].height + GAP;
        }
        if block > 0 {
            end += block + BETWEEN;
        }
    }
    let height = end.max(uplinks(picture, &mut placed));
    (placed, height)
}

/// Networks, and uplinks that guests are on, in the order of their rows: by uplink, then those
/// without, then those that do not run.
fn groups(picture: &Picture) -> Vec<usize> {
    let uplink_of = |network: usize| {
        let uplinks = picture.connections.iter().filter(|it| it.to == network).map(|it| it.from);
        uplinks.min().unwrap_or(usize::MAX)
    };
    let mut groups: Vec<(bool, usize, usize)> = picture
        .of_kind(PartKind::Network)
        .map(|(index, part)| (!part.runs, uplink_of(index), index))
        .chain(picture.of_kind(PartKind::Uplink).map(|(index, _)| (false, index, index)))
        .collect();
    groups.sort_unstable();
    groups.into_iter().map(|(_, _, index)| index).collect()
}

/// Places uplinks beside the middle of what they are connected to, and returns where they end.
fn uplinks(picture: &Picture, placed: &mut [Placed]) -> usize {
    let mut wanted: Vec<(usize, usize)> = Vec::new();
    for (index, _) in picture.of_kind(PartKind::Uplink) {
        let ends: Vec<usize> = picture.behind(index).map(|it| placed[it.to].middle()).collect();
        let middle = if ends.is_empty() { usize::MAX / 2 } else { ends.iter().sum::<usize>() / ends.len() };
        wanted.push((middle, index));
    }
    wanted.sort_unstable();
    let mut end = TOP;
    for (middle, index) in wanted {
        let height = placed[index].height;
        // Those without anything behind them follow the others.
        let y = if middle == usize::MAX / 2 { end } else { middle.saturating_sub(height / 2).max(end) };
        placed[index].y = y;
        end = y + height + BETWEEN;
    }
    end
}

fn column(kind: PartKind) -> usize {
    match kind {
        PartKind::Uplink => 0,
        PartKind::Network => 1,
        PartKind::Guest => 2,
    }
}

/// Text in lines of at most so many characters, broken at blanks where there are some.
fn wrapped(text: &str, most: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in text.split(' ') {
        let mut word: Vec<char> = word.chars().collect();
        loop {
            let line = lines.last_mut().map_or(0, |line| line.chars().count());
            if line > 0 && line + 1 + word.len() > most {
                lines.push(String::new());
                continue;
            }
            let Some(last) = lines.last_mut() else { break };
            if line > 0 {
                last.push(' ');
            }
            let fits = word.len().min(most - if line > 0 { line + 1 } else { 0 });
            last.extend(word.drain(..fits));
            if word.is_empty() {
                break;
            }
            lines.push(String::new());
        }
    }
    lines
}
