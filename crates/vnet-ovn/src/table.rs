//! The tables of the northbound database, and the columns that vnet sets in each.

/// A table of the northbound database.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum NorthboundTable {
    /// `Logical_Switch`
    Switch,
    /// `Logical_Switch_Port`
    SwitchPort,
    /// `Logical_Router`
    Router,
    /// `Logical_Router_Port`
    RouterPort,
    /// `Logical_Router_Static_Route`
    StaticRoute,
    /// `Logical_Router_Policy`
    RouterPolicy,
    /// `Gateway_Chassis`
    GatewayChassis,
    /// `NAT`
    Nat,
    /// `Load_Balancer`
    LoadBalancer,
    /// `DHCP_Options`
    DhcpOptions,
    /// `DNS`
    Dns,
    /// `ACL`
    Acl,
    /// `Port_Group`
    PortGroup,
    /// `Address_Set`
    AddressSet,
    /// `QoS`
    Qos,
}

/// What a column has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Text,
    Number,
    /// Texts, any number or at most one.
    Texts,
    /// Numbers, at most one.
    Numbers,
    /// Texts by texts.
    Map,
    /// Numbers by texts.
    Amounts,
    /// Rows, any number or at most one.
    Rows,
}

impl NorthboundTable {
    /// Every table that vnet has rows in.
    pub const ALL: [Self; 15] = [
        Self::Switch,
        Self::SwitchPort,
        Self::Router,
        Self::RouterPort,
        Self::StaticRoute,
        Self::RouterPolicy,
        Self::GatewayChassis,
        Self::Nat,
        Self::LoadBalancer,
        Self::DhcpOptions,
        Self::Dns,
        Self::Acl,
        Self::PortGroup,
        Self::AddressSet,
        Self::Qos,
    ];

    /// Its name in the database.
    pub fn name(self) -> &'static str {
        match self {
            Self::Switch => "Logical_Switch",
            Self::SwitchPort => "Logical_Switch_Port",
            Self::Router => "Logical_Router",
            Self::RouterPort => "Logical_Router_Port",
            Self::StaticRoute => "Logical_Router_Static_Route",
            Self::RouterPolicy => "Logical_Router_Policy",
            Self::GatewayChassis => "Gateway_Chassis",
            Self::Nat => "NAT",
            Self::LoadBalancer => "Load_Balancer",
            Self::DhcpOptions => "DHCP_Options",
            Self::Dns => "DNS",
            Self::Acl => "ACL",
            Self::PortGroup => "Port_Group",
            Self::AddressSet => "Address_Set",
            Self::Qos => "QoS",
        }
    }

    /// The columns that vnet sets, the first of which tells whether a row is as it was read.
    pub(crate) fn columns(self) -> &'static [(&'static str, Kind)] {
        use Kind::{Amounts, Map, Number, Numbers, Rows, Text, Texts};
        match self {
            Self::Switch => &[
                ("name", Text),
                ("ports", Rows),
                ("acls", Rows),
                ("load_balancer", Rows),
                ("dns_records", Rows),
                ("qos_rules", Rows),
                ("other_config", Map),
            ],
            Self::SwitchPort => &[
                ("name", Text),
                ("type", Text),
                ("addresses", Texts),
                ("port_security", Texts),
                ("options", Map),
                ("tag", Numbers),
                ("dhcpv4_options", Rows),
                ("dhcpv6_options", Rows),
            ],
            Self::Router => &[
                ("name", Text),
                ("ports", Rows),
                ("nat", Rows),
                ("static_routes", Rows),
                ("policies", Rows),
                ("load_balancer", Rows),
            ],
            Self::RouterPort => &[
                ("name", Text),
                ("mac", Text),
                ("networks", Texts),
                ("gateway_chassis", Rows),
                ("ha_chassis_group", Rows),
                ("ipv6_ra_configs", Map),
                ("options", Map),
            ],
            Self::StaticRoute => &[("ip_prefix", Text), ("nexthop", Text), ("output_port", Texts)],
            Self::RouterPolicy => &[("match", Text), ("priority", Number), ("action", Text)],
            Self::GatewayChassis => &[("name", Text), ("chassis_name", Text), ("priority", Number)],
            Self::Nat => &[("type", Text), ("external_ip", Text), ("logical_ip", Text), ("external_port_range", Text)],
            Self::LoadBalancer => &[("name", Text), ("vips", Map), ("protocol", Texts), ("options", Map)],
            Self::DhcpOptions => &[("cidr", Text), ("options", Map)],
            Self::Dns => &[("records", Map)],
            Self::Acl => &[("match", Text), ("direction", Text), ("priority", Number), ("action", Text)],
            Self::PortGroup => &[("name", Text), ("ports", Rows)],
            Self::AddressSet => &[("name", Text), ("addresses", Texts)],
            Self::Qos => &[("match", Text), ("direction", Text), ("priority", Number), ("bandwidth", Amounts)],
        }
    }
}
