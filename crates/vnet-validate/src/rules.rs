//! The table of all rules. The page `rules/VN….md` explains each rule.

use vnet_xml::{Code, Severity};

/// A rule for definitions. vnet-xml checks some of them in the text, this crate checks the others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Rule {
    /// Its stable name, such as `VN0107`.
    pub code: Code,
    /// The severity of its findings.
    pub severity: Severity,
    /// Its name in words, `kebab-case`.
    pub name: &'static str,
    /// Cause and remedy with an example, in Markdown.
    pub explanation: &'static str,
    /// What the check needs to know.
    pub stage: Stage,
    /// Which refused value the finding may follow from.
    pub(crate) follows: Follows,
    /// Which hypervisors the rule applies to.
    pub(crate) hypervisor: Hypervisor,
}

/// What the check of a rule needs to know.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Stage {
    /// The text of the definition: vnet-xml checks the rule.
    Text,
    /// The definition. libvirt refuses it while it reads the text.
    Parser,
    /// The definition. libvirt refuses it when the network or the guest is defined or started, or
    /// not at all.
    Meaning,
    /// The definition and the host.
    Host,
    /// The definitions that are meant for one host; see [`Together`](crate::Together).
    Together,
}

/// The value whose refusal by the reader may cause the finding. The finding is then left out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Follows {
    /// The value itself.
    Nothing,
    /// The element that contains the value: the reader checks this rule too.
    Around,
    /// The mode of the network.
    Mode,
    /// A subnet of the network.
    Subnet,
    /// The backend of the interface.
    Backend,
    /// The model of the interface.
    Model,
    /// Anything else in the element that contains the value.
    Neighbour,
}

/// Which hypervisors a rule applies to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Hypervisor {
    Any,
    /// QEMU only; other hypervisors can do it.
    Qemu,
}

/// The rule with this code.
pub fn rule(code: Code) -> Option<&'static Rule> {
    let index = RULES.binary_search_by_key(&code, |rule| rule.code).ok()?;
    Some(&RULES[index])
}

impl Rule {
    /// The first sentence of the explanation, on one line.
    pub fn summary(&self) -> String {
        let paragraph = self.explanation.split("\n\n").next().unwrap_or_default();
        let line = paragraph.split_whitespace().collect::<Vec<_>>().join(" ");
        match line.split_once(". ") {
            Some((sentence, _)) => format!("{sentence}."),
            None => line,
        }
    }

    const fn of_the_text(rule: vnet_xml::Rule) -> Self {
        let vnet_xml::Rule { code, severity, name, explanation } = rule;
        let (stage, follows, hypervisor) = (Stage::Text, Follows::Nothing, Hypervisor::Any);
        Self { code, severity, name, explanation, stage, follows, hypervisor }
    }
}

/// Every rule, by code: those of vnet-xml, then those of this crate.
pub const RULES: &[Rule] = &{
    let mut all = [NETWORK_NAME; vnet_xml::RULES.len() + OWN.len()];
    let mut index = 0;
    while index < all.len() {
        all[index] = match index.checked_sub(vnet_xml::RULES.len()) {
            None => Rule::of_the_text(vnet_xml::RULES[index]),
            Some(own) => OWN[own],
        };
        index += 1;
    }
    all
};

macro_rules! rules {
    ($($number:literal $severity:ident $stage:ident $follows:ident $hypervisor:ident $id:ident $name:literal)*) => {
        $(pub(crate) const $id: Rule = Rule {
            code: Code($number),
            severity: Severity::$severity,
            name: $name,
            explanation: include_str!(concat!("../rules/VN0", stringify!($number), ".md")),
            stage: Stage::$stage,
            follows: Follows::$follows,
            hypervisor: Hypervisor::$hypervisor,
        };)*

        const OWN: &[Rule] = &[$($id),*];
    };
}

/// Another program's firewall rules refuse what a network promises to its guests. This crate does
/// not check that; a program that reads the rules of a host reports it.
pub const OBSTACLE: Rule = HOST_RULES_IN_THE_WAY;

rules! {
    // The network and its bridge.
    101  Error    Parser  Around     Any         NETWORK_NAME                    "network-name"
    102  Error    Parser  Nothing    Any         TITLE_NEWLINE                   "title-newline"
    103  Warning  Meaning Nothing    Any         UUID_UNFIT                      "uuid-identifies-nothing"
    104  Error    Meaning Nothing    Any         BRIDGE_DELAY_TOO_LONG           "bridge-delay-too-long"
    105  Warning  Meaning Nothing    Any         BRIDGE_DELAY_RAISED             "bridge-delay-raised"
    106  Error    Meaning Nothing    Any         MTU_OUT_OF_RANGE                "mtu-out-of-range"
    107  Error    Meaning Nothing    Any         MTU_TOO_SMALL_FOR_IPV6          "mtu-too-small-for-ipv6"
    108  Error    Parser  Nothing    Any         MAC_NOT_UNICAST                 "mac-not-unicast"

    // Subnets and DHCP.
    201  Error    Parser  Nothing    Any         IP_FAMILY                       "ip-family"
    202  Error    Parser  Nothing    Any         IP_PREFIX_TOO_LONG              "ip-prefix-too-long"
    203  Error    Meaning Nothing    Any         IP_NETMASK                      "ip-netmask"
    204  Error    Meaning Neighbour  Any         IP_PREFIX_MISSING               "ip-prefix-missing"
    205  Warning  Meaning Neighbour  Any         IP_PREFIX_BY_CLASS              "ip-prefix-by-class"
    206  Error    Meaning Nothing    Any         IP_ADDRESS_NOT_A_HOST           "ip-address-not-a-host"
    207  Warning  Meaning Nothing    Any         IP_ADDRESS_ANYCAST              "ip-address-anycast"
    208  Warning  Meaning Nothing    Any         IP_SUBNETS_OVERLAP              "ip-subnets-overlap"
    209  Error    Parser  Nothing    Any         IP_TFTP_FAMILY                  "ip-tftp-family"
    210  Error    Meaning Nothing    Any         IP_PTR_ZONE                     "ip-ptr-zone"
    211  Error    Meaning Nothing    Any         IP_ADDRESS_TWICE                "ip-address-twice"
    212  Warning  Meaning Nothing    Any         IP_FIRST_ADDRESS                "ip-first-address"
    213  Warning  Meaning Neighbour  Any         IP_NO_AUTOCONFIGURATION         "ip-no-autoconfiguration"
    221  Error    Meaning Nothing    Any         DHCP_TWO_SUBNETS                "dhcp-two-subnets"
    222  Error    Parser  Nothing    Any         DHCP_RANGE_FAMILY               "dhcp-range-family"
    223  Error    Parser  Nothing    Any         DHCP_RANGE_OUTSIDE_SUBNET       "dhcp-range-outside-subnet"
    224  Error    Parser  Nothing    Any         DHCP_RANGE_REVERSED             "dhcp-range-reversed"
    225  Error    Parser  Nothing    Any         DHCP_RANGE_RESERVED_ADDRESS     "dhcp-range-reserved-address"
    226  Error    Parser  Nothing    Any         DHCP_RANGE_TOO_LARGE            "dhcp-range-too-large"
    227  Error    Meaning Nothing    Any         DHCP_RANGES_OVERLAP             "dhcp-ranges-overlap"
    228  Warning  Meaning Nothing    Any         DHCP_RANGE_CONTAINS_BRIDGE      "dhcp-range-contains-bridge"
    229  Error    Parser  Nothing    Any         DHCP_LEASE_TOO_SHORT            "dhcp-lease-too-short"
    230  Error    Meaning Nothing    Any         DHCP_LEASE_TOO_LONG             "dhcp-lease-too-long"
    231  Error    Parser  Neighbour  Any         DHCP_HOST_INCOMPLETE            "dhcp-host-incomplete"
    232  Error    Parser  Nothing    Any         DHCP_HOST_MAC_IN_IPV6           "dhcp-host-mac-in-ipv6"
    233  Error    Parser  Nothing    Any         DHCP_HOST_MAC_NOT_UNICAST       "dhcp-host-mac-not-unicast"
    234  Error    Parser  Nothing    Any         DHCP_HOST_ID                    "dhcp-host-id"
    235  Warning  Meaning Nothing    Any         DHCP_HOST_ID_IN_IPV4            "dhcp-host-id-in-ipv4"
    236  Error    Parser  Nothing    Any         DHCP_HOST_NAME                  "dhcp-host-name"
    237  Error    Meaning Nothing    Any         DHCP_HOST_FAMILY                "dhcp-host-family"
    238  Error    Meaning Nothing    Any         DHCP_HOST_OUTSIDE_SUBNET        "dhcp-host-outside-subnet"
    239  Error    Meaning Nothing    Any         DHCP_HOST_RESERVED_ADDRESS      "dhcp-host-reserved-address"
    240  Error    Meaning Nothing    Any         DHCP_HOSTS_CLASH                "dhcp-hosts-clash"
    241  Warning  Meaning Nothing    Any         DHCP_HOSTS_SHARE_NAME           "dhcp-hosts-share-name"
    242  Warning  Meaning Neighbour  Any         BOOTP_WITHOUT_DHCP              "bootp-without-dhcp"
    243  Error    Meaning Nothing    Any         BOOTP_IN_IPV6                   "bootp-in-ipv6"
    244  Error    Meaning Nothing    Any         BOOTP_SERVER_FAMILY             "bootp-server-family"
    245  Warning  Meaning Nothing    Any         DHCP_LEASE_ENDLESS              "dhcp-lease-endless"
    246  Warning  Meaning Nothing    Any         DHCP_HOST_ID_NO_DUID            "dhcp-host-id-no-duid"

    // DNS.
    301  Error    Meaning Nothing    Any         DNSMASQ_SYNTAX                  "dnsmasq-syntax"
    302  Error    Meaning Nothing    Any         NOT_A_DNS_NAME                  "not-a-dns-name"
    303  Error    Parser  Neighbour  Any         DOMAIN_REGISTER                 "domain-register"
    304  Error    Parser  Nothing    Any         DNS_DISABLED_WITH_RECORDS       "dns-disabled-with-records"
    305  Error    Parser  Neighbour  Any         DNS_FORWARDER_EMPTY             "dns-forwarder-empty"
    306  Error    Parser  Neighbour  Any         DNS_HOST_WITHOUT_NAME           "dns-host-without-name"
    307  Error    Parser  Nothing    Any         DNS_SRV_SERVICE                 "dns-srv-service"
    308  Error    Parser  Nothing    Any         DNS_SRV_PROTOCOL                "dns-srv-protocol"
    309  Error    Parser  Neighbour  Any         DNS_SRV_WITHOUT_TARGET          "dns-srv-without-target"
    310  Error    Parser  Nothing    Any         DNS_SRV_PORT_ZERO               "dns-srv-port-zero"
    311  Error    Parser  Nothing    Any         DNS_TXT_NAME                    "dns-txt-name"
    312  Warning  Meaning Subnet     Any         DNS_WITHOUT_IP                  "dns-without-ip"
    313  Error    Meaning Nothing    Any         DNSMASQ_LINE_TOO_LONG           "dnsmasq-line-too-long"
    314  Error    Meaning Nothing    Any         DNS_FORWARDER_PORT              "dns-forwarder-port"
    315  Warning  Meaning Nothing    Any         DNS_FORWARDER_ITSELF            "dns-forwarder-itself"
    316  Error    Meaning Nothing    Any         DNSMASQ_OPTION_REFUSED          "dnsmasq-option-refused"
    317  Warning  Meaning Nothing    Any         DNSMASQ_OPTION_DOUBTFUL         "dnsmasq-option-doubtful"
    318  Error    Host    Nothing    Any         DNSMASQ_OPTION_UNKNOWN          "dnsmasq-option-unknown"
    319  Warning  Meaning Subnet     Any         DOMAIN_REGISTER_UNANSWERED      "domain-register-unanswered"

    // Static routes.
    401  Error    Parser  Nothing    Any         ROUTE_FAMILY                    "route-family"
    402  Error    Parser  Nothing    Any         ROUTE_GATEWAY_FAMILY            "route-gateway-family"
    403  Error    Parser  Nothing    Any         ROUTE_PREFIX_TOO_LONG           "route-prefix-too-long"
    404  Error    Meaning Nothing    Any         ROUTE_NETMASK                   "route-netmask"
    405  Error    Meaning Neighbour  Any         ROUTE_PREFIX_MISSING            "route-prefix-missing"
    406  Error    Parser  Nothing    Any         ROUTE_ADDRESS_NOT_NETWORK       "route-address-not-network"
    407  Error    Parser  Subnet     Any         ROUTE_GATEWAY_OUTSIDE_SUBNETS   "route-gateway-outside-subnets"
    408  Error    Meaning Nothing    Any         ROUTE_GATEWAY_NOT_A_GUEST       "route-gateway-not-a-guest"
    409  Error    Parser  Nothing    Any         ROUTE_METRIC_ZERO               "route-metric-zero"
    410  Error    Meaning Nothing    Any         ROUTE_DUPLICATE                 "route-duplicate"
    411  Error    Meaning Nothing    Any         ROUTE_TO_OWN_SUBNET             "route-to-own-subnet"
    412  Warning  Meaning Nothing    Any         ROUTE_INSIDE_OWN_SUBNET         "route-inside-own-subnet"
    413  Warning  Meaning Nothing    Any         ROUTE_SHADOWS_DEFAULT           "route-shadows-default"

    // Forwarding, pools, portgroups and network ports.
    501  Error    Parser  Subnet     Any         FORWARD_WITHOUT_IP              "forward-without-ip"
    502  Error    Parser  Mode       Any         FORWARD_TOO_MANY_INTERFACES     "forward-too-many-interfaces"
    503  Error    Parser  Nothing    Any         FORWARD_OPEN_WITH_INTERFACE     "forward-open-with-interface"
    504  Error    Parser  Around     Any         FORWARD_INTERFACE_TWICE         "forward-interface-twice"
    505  Error    Meaning Nothing    Any         FORWARD_THROUGH_OWN_BRIDGE      "forward-through-own-bridge"
    506  Warning  Meaning Nothing    Any         FORWARD_MODE_NONE               "forward-mode-none"
    511  Error    Parser  Nothing    Any         NAT_OUTSIDE_MODE_NAT            "nat-outside-mode-nat"
    512  Error    Parser  Nothing    Any         NAT_ADDRESS_FAMILY              "nat-address-family"
    513  Error    Parser  Nothing    Any         NAT_ADDRESS_RANGE_TOO_LARGE     "nat-address-range-too-large"
    514  Error    Meaning Nothing    Any         NAT_PORT_ZERO                   "nat-port-zero"
    515  Warning  Meaning Nothing    Any         NAT_SINGLE_PORT                 "nat-single-port"
    516  Warning  Meaning Subnet     Any         NAT_IPV6_WITHOUT_SUBNET         "nat-ipv6-without-subnet"
    521  Error    Parser  Mode       Any         BRIDGE_NOT_OWN                  "bridge-not-own"
    522  Error    Meaning Mode       Any         NOT_IN_MODE                     "not-in-mode"
    523  Warning  Meaning Mode       Any         WITHOUT_EFFECT_IN_MODE          "without-effect-in-mode"
    524  Error    Meaning Nothing    Any         POOL_MIXED                      "pool-mixed"
    525  Error    Meaning Mode       Any         POOL_BY_NAME                    "pool-by-name"
    526  Error    Meaning Mode       Any         POOL_BY_ADDRESS                 "pool-by-address"
    527  Error    Parser  Mode       Any         BRIDGE_WITH_POOL                "bridge-with-pool"
    528  Warning  Meaning Neighbour  Any         POOL_EMPTY                      "pool-empty"
    531  Error    Meaning Nothing    Any         PORT_GROUP_TWICE                "portgroup-twice"
    532  Error    Meaning Nothing    Any         PORT_GROUP_TWO_DEFAULTS         "portgroup-two-defaults"
    533  Error    Meaning Mode       Any         VLAN_NOT_IN_MODE                "vlan-not-in-mode"
    534  Error    Meaning Mode       Any         BANDWIDTH_NOT_IN_MODE           "bandwidth-not-in-mode"
    535  Warning  Meaning Nothing    Any         BANDWIDTH_PEAK_OUTBOUND         "bandwidth-peak-outbound"
    536  Warning  Meaning Mode       Any         VIRTUALPORT_NOT_IN_MODE         "virtualport-not-in-mode"
    541  Error    Meaning Nothing    Any         PORT_UUID                       "port-uuid"
    542  Error    Meaning Nothing    Any         PORT_MAC                        "port-mac"
    543  Error    Meaning Nothing    Any         PORT_PLUG                       "port-plug"
    551  Error    Meaning Mode       Any         PORT_FORWARD_NOT_IN_MODE        "port-forward-not-in-mode"
    552  Error    Meaning Subnet     Any         PORT_FORWARD_GUEST_UNKNOWN      "port-forward-guest-unknown"
    553  Error    Meaning Subnet     Any         PORT_FORWARD_GUEST_OUTSIDE      "port-forward-guest-outside"
    554  Error    Meaning Nothing    Any         PORT_FORWARD_ADDRESS            "port-forward-address"
    555  Error    Meaning Neighbour  Any         PORT_FORWARD_PORTS              "port-forward-ports"
    556  Error    Meaning Nothing    Any         PORT_FORWARD_DEVICE             "port-forward-device"
    561  Error    Meaning Mode       Any         EGRESS_NOT_IN_MODE              "egress-not-in-mode"
    562  Error    Meaning Mode       Any         EGRESS_WITHOUT_WAY_OUT          "egress-without-way-out"
    563  Error    Meaning Nothing    Any         EGRESS_NAMES_NOTHING            "egress-names-nothing"
    564  Error    Meaning Subnet     Any         EGRESS_UNREACHED                "egress-unreached"
    565  Error    Meaning Nothing    Any         EGRESS_PORT                     "egress-port"
    566  Warning  Meaning Nothing    Any         EGRESS_TWICE                    "egress-twice"
    567  Error    Meaning Nothing    Any         EGRESS_TOO_MANY                 "egress-too-many"
    571  Error    Meaning Mode       Any         FLOWTABLE_NOT_IN_MODE           "flowtable-not-in-mode"

    // The host.
    601  Error    Host    Nothing    Any         HOST_SUBNET_IN_USE              "host-subnet-in-use"
    602  Error    Host    Nothing    Any         HOST_ROUTE_EXISTS               "host-route-exists"
    603  Warning  Host    Nothing    Any         HOST_ROUTE_OVERLAPS             "host-route-overlaps"
    604  Error    Host    Nothing    Any         HOST_BRIDGE_NAME_TAKEN          "host-bridge-name-taken"
    605  Error    Host    Nothing    Any         HOST_NO_FREE_BRIDGE_NAME        "host-no-free-bridge-name"
    606  Error    Host    Nothing    Any         HOST_UUID_TAKEN                 "host-uuid-taken"
    607  Error    Host    Nothing    Any         HOST_NAME_TAKEN                 "host-name-taken"
    608  Error    Host    Nothing    Any         HOST_WITHOUT_IPV6               "host-without-ipv6"
    609  Warning  Host    Nothing    Any         HOST_FORWARD_INTERFACE_MISSING  "host-forward-interface-missing"
    610  Warning  Host    Nothing    Any         HOST_WITHOUT_DEFAULT_ROUTE      "host-without-default-route"
    611  Warning  Host    Nothing    Any         HOST_MTU_LARGER_THAN_FORWARD    "host-mtu-larger-than-forward"
    612  Warning  Host    Nothing    Any         HOST_SUBNET_INSIDE_ROUTE        "host-subnet-inside-route"
    613  Warning  Host    Nothing    Any         HOST_BRIDGE_MISSING             "host-bridge-missing"
    614  Warning  Host    Nothing    Any         HOST_MAC_ATTACHED               "host-mac-attached"
    615  Warning  Host    Nothing    Any         HOST_NETWORK_NOT_RUNNING        "host-network-not-running"
    616  Warning  Host    Nothing    Any         HOST_SOURCE_MISSING             "host-source-missing"
    617  Error    Host    Nothing    Any         HOST_HEARS_ROUTERS              "host-hears-routers"
    618  Error    Host    Nothing    Any         HOST_WITHOUT_POLICER            "host-without-policer"
    619  Warning  Host    Nothing    Any         HOST_PORT_GROUP_MISSING         "host-portgroup-missing"
    620  Error    Host    Nothing    Any         HOST_DEVICE_UNFIT               "host-device-unfit"
    621  Error    Host    Nothing    Any         HOST_WITHOUT_FIREWALLD          "host-without-firewalld"
    622  Error    Host    Nothing    Any         HOST_ZONE_MISSING               "host-zone-missing"
    623  Warning  Host    Nothing    Any         HOST_RULES_IN_THE_WAY           "host-rules-in-the-way"
    624  Warning  Host    Nothing    Any         HOST_WITHOUT_VLAN_FILTERING     "host-without-vlan-filtering"
    625  Error    Host    Nothing    Any         HOST_SOURCE_NOT_A_BRIDGE        "host-source-not-a-bridge"
    626  Error    Host    Nothing    Any         HOST_PORT_IN_USE                "host-port-in-use"
    627  Warning  Host    Nothing    Any         HOST_PORT_COVERED               "host-port-covered"
    628  Warning  Host    Nothing    Any         HOST_SUBNET_DEFINED             "host-subnet-defined"
    629  Error    Host    Nothing    Any         HOST_WITHOUT_RESOLVED           "host-without-resolved"
    630  Warning  Host    Nothing    Any         HOST_EGRESS_UNREACHED           "host-egress-unreached"
    631  Warning  Host    Nothing    Any         HOST_FLOWTABLE_WITHOUT_WAY_OUT  "host-flowtable-without-way-out"
    632  Warning  Host    Nothing    Any         HOST_WITHOUT_FLOWTABLES         "host-without-flowtables"
    633  Warning  Host    Nothing    Any         HOST_WITHOUT_OVN                "host-without-ovn"
    634  Warning  Host    Nothing    Any         HOST_SWITCH_WITHOUT_POLICER     "host-switch-without-policer"
    635  Warning  Host    Nothing    Any         HOST_SWITCH_WITHOUT_CHECKSUMS   "host-switch-without-checksums"

    // Guests' interfaces.
    701  Error    Meaning Backend    Qemu        VHOSTUSER_WITHOUT_PATH          "vhostuser-without-path"
    702  Error    Meaning Nothing    Qemu        VHOSTUSER_SERVER_RECONNECTS     "vhostuser-server-reconnects"
    703  Warning  Meaning Neighbour  Any         MACVTAP_HIDES_HOST              "macvtap-hides-host"
    704  Error    Meaning Nothing    Qemu        HOSTDEV_USB                     "hostdev-usb"
    705  Error    Meaning Backend    Any         SOURCE_DEV_WITHOUT_PASST        "source-dev-without-passt"
    706  Error    Meaning Nothing    Any         VLAN_RESERVED                   "vlan-reserved"
    707  Warning  Meaning Nothing    Any         VLAN_TWICE                      "vlan-twice"
    708  Error    Meaning Nothing    Any         VLAN_UNSUPPORTED                "vlan-unsupported"
    709  Error    Meaning Nothing    Any         PORT_ISOLATED_UNSUPPORTED       "port-isolated-unsupported"
    710  Error    Meaning Nothing    Any         VIRTUALPORT_INCOMPLETE          "virtualport-incomplete"
    711  Error    Meaning Nothing    Any         BANDWIDTH_ON_HOSTDEV            "bandwidth-on-hostdev"
    712  Warning  Meaning Nothing    Any         BANDWIDTH_WITHOUT_EFFECT        "bandwidth-without-effect"
    713  Error    Meaning Nothing    Any         INTERFACE_BANDWIDTH_TOO_LARGE   "bandwidth-too-large"
    714  Error    Meaning Nothing    Any         FILTER_ON_VIRTUALPORT           "filter-on-virtualport"
    715  Error    Meaning Nothing    Qemu        VHOSTUSER_MEMORY                "vhostuser-without-shared-memory"
    716  Error    Meaning Nothing    Qemu        MCAST_ADDRESS                   "mcast-address"
    717  Warning  Meaning Nothing    Any         SOCKET_OF_PASST                 "socket-of-passt"
    721  Warning  Meaning Nothing    Qemu        MODEL_MISSPELLED                "model-misspelled"
    722  Error    Meaning Nothing    Any         UNMANAGED_UNSUPPORTED           "unmanaged-unsupported"
    723  Error    Meaning Nothing    Any         UNMANAGED_WITHOUT_DEV           "unmanaged-without-dev"
    724  Error    Meaning Nothing    Any         TARGET_NAME                     "target-name"
    725  Error    Meaning Nothing    Qemu        SCRIPT_UNSUPPORTED              "script-unsupported"
    726  Warning  Meaning Nothing    Qemu        DOWNSCRIPT_WITHOUT_EFFECT       "downscript-without-effect"
    727  Error    Meaning Model      Qemu        VIRTIO_NEEDED                   "virtio-needed"
    728  Error    Meaning Model      Any         VIRTIO_OPTION                   "virtio-option"
    729  Warning  Meaning Model      Any         DRIVER_WITHOUT_EFFECT           "driver-without-effect"
    730  Error    Meaning Nothing    Any         QUEUES_UNSUPPORTED              "queues-unsupported"
    731  Error    Meaning Nothing    Qemu        QUEUE_SIZE                      "queue-size"
    732  Warning  Meaning Nothing    Qemu        QUEUE_SIZE_UNUSUAL              "queue-size-unusual"
    733  Error    Meaning Nothing    Any         BACKEND_TAP_UNSUPPORTED         "backend-tap-unsupported"
    734  Error    Meaning Model      Qemu        TEAMING                         "teaming"
    735  Error    Meaning Backend    Qemu        MTU_UNSUPPORTED                 "interface-mtu-unsupported"
    736  Error    Meaning Nothing    Any         INTERFACE_MTU_RANGE             "interface-mtu-range"
    737  Warning  Meaning Nothing    Any         INTERFACE_MTU_WITHOUT_IPV6      "interface-mtu-without-ipv6"
    738  Error    Meaning Nothing    Qemu        COALESCE_UNSUPPORTED            "coalesce-unsupported"
    739  Error    Meaning Nothing    Any         ACPI_INDEX                      "acpi-index"
    740  Error    Meaning Nothing    Qemu        NOT_ON_PCI                      "not-on-pci"
    741  Error    Meaning Nothing    Qemu        GUEST_ROUTE                     "guest-route"
    742  Error    Meaning Backend    Qemu        GUEST_IP_UNSUPPORTED            "guest-ip-unsupported"
    743  Error    Meaning Nothing    Qemu        GUEST_IP_TWICE                  "guest-ip-twice"
    744  Error    Meaning Nothing    Qemu        GUEST_IP_PEER                   "guest-ip-peer"
    745  Error    Meaning Nothing    Qemu        GUEST_IP_PREFIX                 "guest-ip-prefix"
    751  Error    Meaning Nothing    Any         PASST_UNSUPPORTED               "passt-unsupported"
    752  Warning  Meaning Backend    Any         BACKEND_WITHOUT_PASST           "backend-without-passt"
    753  Error    Meaning Backend    Any         PORT_FORWARD_WITHOUT_PASST      "port-forward-without-passt"
    754  Error    Meaning Neighbour  Any         PORT_RANGE_WITHOUT_START        "port-range-without-start"
    755  Error    Meaning Nothing    Any         PORT_RANGE_REVERSED             "port-range-reversed"
    756  Warning  Meaning Nothing    Any         PORT_EXCLUDED_TO                "port-excluded-to"
    757  Error    Meaning Nothing    Any         PORT_RANGE_BEYOND               "port-range-beyond"
    758  Warning  Meaning Nothing    Any         PORT_EXCLUDED_OUTSIDE           "port-excluded-outside"
    759  Error    Meaning Nothing    Any         PORT_FORWARDED_TWICE            "port-forwarded-twice"
    760  Warning  Meaning Nothing    Any         PORT_PRIVILEGED                 "port-privileged"
    761  Error    Meaning Nothing    Any         INTERFACES_SHARE                "interfaces-share"
    762  Warning  Meaning Nothing    Any         TEAMING_ALONE                   "teaming-alone"
    763  Warning  Meaning Nothing    Any         INTERFACES_SHARE_MAC            "interfaces-share-mac"
    764  Warning  Meaning Nothing    Any         PORT_AT_TWO_ADDRESSES           "port-at-two-addresses"
    765  Warning  Meaning Nothing    Any         PORT_BESIDE_ALL                 "port-beside-all"
    766  Warning  Meaning Nothing    Any         PORTS_ALL_PRIVILEGED            "ports-all-privileged"

    // What libvirt supports and vnet does not, or OVN.
    802  Warning  Meaning Nothing    Any         INTERFACE_UNSUPPORTED           "interface-unsupported"
    811  Error    Meaning Mode       Any         OVN_NOT_IN_MODE                 "ovn-not-in-mode"
    812  Error    Meaning Nothing    Any         OVN_NORTHBOUND                  "ovn-northbound"
    813  Error    Meaning Neighbour  Any         OVN_OUTSIDE                     "ovn-outside"
    814  Error    Meaning Nothing    Any         OVN_OUTSIDE_VALUE               "ovn-outside-value"
    815  Error    Meaning Neighbour  Any         OVN_CANNOT                      "ovn-cannot"
    816  Warning  Meaning Nothing    Any         OVN_WITHOUT_EFFECT              "ovn-without-effect"
    817  Error    Meaning Nothing    Any         OVN_TEXT                        "ovn-text"
    818  Error    Meaning Nothing    Any         OVN_PORT_FORWARD                "ovn-port-forward"
    819  Warning  Meaning Nothing    Any         OVN_GATEWAY_ORDER               "ovn-gateway-order"

    // What definitions for one host share.
    901  Error    Together Nothing   Any         TOGETHER_NAME                   "definitions-share-name"
    902  Error    Together Nothing   Any         TOGETHER_UUID                   "definitions-share-uuid"
    903  Error    Together Nothing   Any         TOGETHER_BRIDGE                 "definitions-share-bridge"
    904  Error    Together Nothing   Any         TOGETHER_SUBNET                 "definitions-share-subnet"
    905  Warning  Together Nothing   Any         TOGETHER_MAC                    "definitions-share-mac"
    906  Error    Together Nothing   Any         TOGETHER_PORT                   "definitions-share-port"
}
