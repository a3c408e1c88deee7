//! A picture as a page that needs nothing else.

use std::fmt::Write;

use super::Picture;
use super::svg::{STYLE, escaped};

/// A promise that is listed beside a picture.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct PicturePromise {
    /// The promise.
    pub promise: String,
    /// Whether it is kept, in a word.
    pub verdict: String,
    /// What was seen.
    pub seen: String,
    /// Whether it is broken.
    pub broken: bool,
}

impl PicturePromise {
    /// A promise that is kept, or not.
    pub fn new(promise: impl Into<String>, verdict: impl Into<String>, broken: bool) -> Self {
        Self { promise: promise.into(), verdict: verdict.into(), seen: String::new(), broken }
    }
}

/// The page around the picture. A page without loads can be sent by mail.
const PAGE: &str = "\
body{margin:0;padding:16px 24px;background:var(--ground);color:var(--text);font:14px system-ui,sans-serif}
h1{font-size:19px}svg{max-width:100%;height:auto}
#details{position:fixed;right:16px;bottom:16px;max-width:420px;padding:10px 14px;border:1px solid var(--edge);border-radius:7px;\
background:var(--card);white-space:pre-wrap;overflow-wrap:anywhere;box-shadow:0 2px 10px #0004}
#details:empty{display:none}table{border-collapse:collapse;margin-top:16px}
td,th{text-align:left;padding:4px 14px 4px 0;border-bottom:1px solid var(--edge);vertical-align:top}
.bad{color:var(--bad)}td.bad{font-weight:600}.soft{color:var(--soft)}
";
/// Shows what is known of the part under the pointer, and what it is connected to.
const SCRIPT: &str = "\
const box=document.getElementById('details');
for(const part of document.querySelectorAll('.part')){
const title=part.querySelector('title'),text=title.textContent,own=part.dataset.part;title.remove();
part.setAttribute('aria-label',text);
const light=on=>{box.textContent=on?text:'';
for(const it of document.querySelectorAll('.connection'))if(it.dataset.from===own||it.dataset.to===own)it.classList.toggle('lit',on)};
part.addEventListener('pointerenter',()=>light(true));part.addEventListener('pointerleave',()=>light(false));
part.addEventListener('focus',()=>light(true));part.addEventListener('blur',()=>light(false));}
";

impl Picture {
    /// A page with the picture, and promises beside it. It loads nothing, and is light or dark as
    /// the reader prefers.
    pub fn html(&self, promises: &[PicturePromise]) -> String {
        let title = match self.host.as_str() {
            "" => "Networks".to_owned(),
            host => format!("Networks of {}", escaped(host)),
        };
        let mut page = format!(
            "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><meta name=\"color-scheme\" content=\"light dark\">\
             <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'; \
             script-src 'unsafe-inline'\"><meta name=\"viewport\" content=\"width=device-width\">\
             <title>{title}</title><style>{STYLE}{PAGE}</style></head>\n<body><h1>{title}</h1>\n"
        );
        page.push_str(&self.drawn(""));
        page.push_str("<p class=\"soft\">Red: drifted or blocked. Dashed: defined, does not run.</p>\n");
        if !promises.is_empty() {
            page.push_str("<table><tr><th>Promise</th><th>Verdict</th><th>Seen</th></tr>\n");
            for promise in promises {
                let class = if promise.broken { " class=\"bad\"" } else { "" };
                let [text, verdict, seen] =
                    [&promise.promise, &promise.verdict, &promise.seen].map(|text| escaped(text));
                let _ =
                    writeln!(page, "<tr><td>{text}</td><td{class}>{verdict}</td><td class=\"soft\">{seen}</td></tr>");
            }
            page.push_str("</table>\n");
        }
        let _ =
            write!(page, "<div id=\"details\" aria-live=\"polite\"></div>\n<script>{SCRIPT}</script></body></html>\n");
        page
    }
}
