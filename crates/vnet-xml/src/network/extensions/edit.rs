//! Adds and removes forwards.

use vnet_types::PortSet;

use super::{FORWARD, GuestForward, NAME};
use crate::interface::{PortForward, PortForwardRange};
use crate::network::Network;
use crate::{Comments, NodePath};

impl Network {
    /// Adds ports to the forward of the same guest, protocol, address and device, or a new forward.
    pub fn add_forward(&mut self, new: GuestForward) {
        let forwards = &mut self.extensions.port_forwards;
        match forwards.iter_mut().find(|it| it.guest == new.guest && is_alike(&it.forward, &new.forward)) {
            Some(known) => known.forward.ranges.extend(new.forward.ranges),
            None => forwards.push(new),
        }
    }

    /// Removes ports from all forwards of the same protocol, address and device, and what then has
    /// no ports. Returns the comments that are gone.
    ///
    /// # Errors
    /// The ports that are not forwarded: nothing has changed then.
    pub fn remove_forward(&mut self, gone: &PortForward) -> Result<Comments, PortSet> {
        let ports_of = |forward: &PortForward| forward.leads().into_iter().map(|(ports, _)| ports).collect::<PortSet>();
        let ports = ports_of(gone);
        let alike = self.extensions.port_forwards.iter().filter(|it| is_alike(&it.forward, gone));
        let known = alike.fold(PortSet::default(), |all, it| all.union(&ports_of(&it.forward)));
        let missing = ports.difference(&known);
        if !missing.is_empty() || ports.is_empty() {
            return Err(missing);
        }
        let mut comments = Comments::default();
        let element = NodePath::root("network").element("metadata").element(NAME);
        for index in (0..self.extensions.port_forwards.len()).rev() {
            let GuestForward { forward, .. } = &mut self.extensions.port_forwards[index];
            if !is_alike(forward, gone) || ports_of(forward).intersection(&ports).is_empty() {
                continue;
            }
            forward.ranges = forward.leads().into_iter().flat_map(|lead| left(lead, &ports)).collect();
            if forward.ranges.is_empty() {
                let path = element.nth(FORWARD, index);
                let taken = self.comments.take(&path);
                comments.adopt(taken, &path, &path);
                self.comments.renumber(&path, true);
                self.extensions.port_forwards.remove(index);
            }
        }
        Ok(comments)
    }
}

/// Whether both are of the same ports, but for their numbers.
fn is_alike(one: &PortForward, other: &PortForward) -> bool {
    (one.protocol, one.address, &one.dev) == (other.protocol, other.address, &other.dev)
}

/// What is left of a range without these ports.
fn left((ports, first): (vnet_types::PortRange, u16), gone: &PortSet) -> Vec<PortForwardRange> {
    let left = PortSet::from(ports).difference(gone);
    let range = |left: vnet_types::PortRange| PortForwardRange {
        start: Some(left.start()),
        end: Some(left.end()).filter(|end| *end != left.start()),
        to: Some(first + (left.start() - ports.start())).filter(|to| *to != left.start()),
        exclude: None,
    };
    left.ranges().map(range).collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests fail by panicking")]

    use super::*;
    use crate::interface::Protocol;

    fn forward(ports: &[(u16, u16, u16)]) -> PortForward {
        let ranges = ports.iter().map(|(start, end, to)| PortForwardRange {
            start: Some(*start),
            end: Some(*end).filter(|end| end != start),
            to: Some(*to).filter(|to| to != start),
            exclude: None,
        });
        PortForward { ranges: ranges.collect(), ..PortForward::new(Protocol::Tcp) }
    }

    #[test]
    fn ports_are_added_and_removed() {
        let mut network = Network::new("n");
        let web = || "web".parse().unwrap();
        network.add_forward(GuestForward::new(web(), forward(&[(2000, 2009, 3000)])));
        network.add_forward(GuestForward::new(web(), forward(&[(80, 80, 80)])));
        network.add_forward(GuestForward::new("db".parse().unwrap(), forward(&[(81, 81, 81)])));
        assert_eq!(network.extensions.port_forwards.len(), 2);
        assert_eq!(
            network.remove_forward(&forward(&[(79, 80, 79)])),
            Err("79-79".parse::<vnet_types::PortRange>().unwrap().into())
        );
        network.remove_forward(&forward(&[(2003, 2004, 1)])).unwrap();
        network.remove_forward(&forward(&[(80, 81, 1)])).unwrap();
        let left = forward(&[(2000, 2002, 3000), (2005, 2009, 3005)]);
        assert_eq!(network.extensions.port_forwards, [GuestForward::new(web(), left)]);
    }

    #[test]
    fn comments_stay_at_their_forwards() {
        let text = "<network><name>n</name><metadata><v:network xmlns:v='https://github.com/vnet-rs/vnet/network/1.0'>\
                    <!-- one --><v:portForward proto='tcp' guest='a'><v:range start='1'/></v:portForward>\
                    <!-- two --><v:portForward proto='tcp' guest='b'><v:range start='2'/></v:portForward>\
                    </v:network></metadata></network>";
        let mut network: Network = text.parse().unwrap();
        let lost = network.remove_forward(&forward(&[(1, 1, 1)])).unwrap();
        assert_eq!(lost.texts().collect::<Vec<_>>(), ["one"]);
        let printed = network.to_string();
        assert!(printed.contains("<!-- two -->\n      <vnet:portForward proto=\"tcp\" guest=\"b\">\n"), "{printed}");
        assert_eq!(printed.parse::<Network>().unwrap().to_string(), printed);
    }

    #[test]
    fn what_is_unknown_is_an_error() {
        let inside = |inner: &str| {
            let text = format!(
                "<network><name>n</name><metadata><network xmlns='https://github.com/vnet-rs/vnet/network/1.0'>{inner}\
                 </network><other xmlns='urn:o'/></metadata></network>"
            );
            Network::parse(text.as_bytes())
        };
        let forward = "<portForward proto='tcp' guest='a'><range start='1'/></portForward>";
        let parsed = inside(forward);
        assert!(parsed.problems.is_empty(), "{:?}", parsed.problems);
        let network = parsed.value.unwrap();
        assert_eq!(network.extensions.port_forwards.len(), 1);
        assert!(network.metadata.unwrap().to_string().contains("urn:o"));
        let codes = |inner: &str| inside(inner).problems.iter().map(|it| it.code.to_string()).collect::<Vec<_>>();
        assert_eq!(codes("<portForwards/>"), ["VN0022"]);
        assert_eq!(codes("<portForward proto='tcp' guest='a' prot='x'/>"), ["VN0022"]);
        assert_eq!(codes("<portForward proto='tcp' guest='a'><range strat='1'/></portForward>"), ["VN0022"]);
        assert_eq!(codes("<portForward guest=''/>"), ["VN0031", "VN0030"]);
    }
}
