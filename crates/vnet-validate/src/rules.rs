//! The table of all rules. Each is explained in a file of its own, `rules/VN….md`.

use vnet_xml::{Code, Rule, Severity};

macro_rules! rules {
    ($($id:ident = $number:literal $severity:ident $name:literal)*) => {
        $(pub(crate) const $id: Rule = Rule {
            code: Code($number),
            severity: Severity::$severity,
            name: $name,
            explanation: include_str!(concat!("../rules/VN0", stringify!($number), ".md")),
        };)*

        /// Every rule, by code.
        pub const RULES: &[Rule] = &[$($id),*];
    };
}

rules! {
    NETWORK_NAME = 101 Error "network-name"
    TITLE_NEWLINE = 102 Error "title-newline"
    UUID_UNFIT = 103 Warning "uuid-identifies-nothing"
    BRIDGE_DELAY_TOO_LONG = 104 Error "bridge-delay-too-long"
    BRIDGE_DELAY_RAISED = 105 Warning "bridge-delay-raised"
    MTU_OUT_OF_RANGE = 106 Error "mtu-out-of-range"
    MTU_TOO_SMALL_FOR_IPV6 = 107 Error "mtu-too-small-for-ipv6"
    MAC_NOT_UNICAST = 108 Error "mac-not-unicast"

    IP_FAMILY = 201 Error "ip-family"
    IP_PREFIX_TOO_LONG = 202 Error "ip-prefix-too-long"
    IP_NETMASK = 203 Error "ip-netmask"
    IP_PREFIX_MISSING = 204 Error "ip-prefix-missing"
    IP_PREFIX_BY_CLASS = 205 Warning "ip-prefix-by-class"
    IP_ADDRESS_NOT_A_HOST = 206 Error "ip-address-not-a-host"
    IP_ADDRESS_ANYCAST = 207 Warning "ip-address-anycast"
    IP_SUBNETS_OVERLAP = 208 Warning "ip-subnets-overlap"
    IP_TFTP_FAMILY = 209 Error "ip-tftp-family"
    IP_PTR_ZONE = 210 Error "ip-ptr-zone"
    IP_ADDRESS_TWICE = 211 Error "ip-address-twice"

    DHCP_TWO_SUBNETS = 221 Error "dhcp-two-subnets"
    DHCP_RANGE_FAMILY = 222 Error "dhcp-range-family"
    DHCP_RANGE_OUTSIDE_SUBNET = 223 Error "dhcp-range-outside-subnet"
    DHCP_RANGE_REVERSED = 224 Error "dhcp-range-reversed"
    DHCP_RANGE_RESERVED_ADDRESS = 225 Error "dhcp-range-reserved-address"
    DHCP_RANGE_TOO_LARGE = 226 Error "dhcp-range-too-large"
    DHCP_RANGES_OVERLAP = 227 Error "dhcp-ranges-overlap"
    DHCP_RANGE_CONTAINS_BRIDGE = 228 Warning "dhcp-range-contains-bridge"
    DHCP_LEASE_TOO_SHORT = 229 Error "dhcp-lease-too-short"
    DHCP_LEASE_TOO_LONG = 230 Error "dhcp-lease-too-long"
    DHCP_HOST_INCOMPLETE = 231 Error "dhcp-host-incomplete"
    DHCP_HOST_MAC_IN_IPV6 = 232 Error "dhcp-host-mac-in-ipv6"
    DHCP_HOST_MAC_NOT_UNICAST = 233 Error "dhcp-host-mac-not-unicast"
    DHCP_HOST_ID = 234 Error "dhcp-host-id"
    DHCP_HOST_ID_IN_IPV4 = 235 Warning "dhcp-host-id-in-ipv4"
    DHCP_HOST_NAME = 236 Error "dhcp-host-name"
    DHCP_HOST_FAMILY = 237 Error "dhcp-host-family"
    DHCP_HOST_OUTSIDE_SUBNET = 238 Error "dhcp-host-outside-subnet"
    DHCP_HOST_RESERVED_ADDRESS = 239 Error "dhcp-host-reserved-address"
    DHCP_HOSTS_CLASH = 240 Error "dhcp-hosts-clash"
    DHCP_HOSTS_SHARE_NAME = 241 Warning "dhcp-hosts-share-name"
    BOOTP_WITHOUT_DHCP = 242 Warning "bootp-without-dhcp"
    BOOTP_IN_IPV6 = 243 Error "bootp-in-ipv6"
    BOOTP_SERVER_FAMILY = 244 Error "bootp-server-family"
    DHCP_LEASE_ENDLESS = 245 Warning "dhcp-lease-endless"

    DNSMASQ_SYNTAX = 301 Error "dnsmasq-syntax"
    NOT_A_DNS_NAME = 302 Error "not-a-dns-name"
    DOMAIN_REGISTER = 303 Error "domain-register"
    DNS_DISABLED_WITH_RECORDS = 304 Error "dns-disabled-with-records"
    DNS_FORWARDER_EMPTY = 305 Error "dns-forwarder-empty"
    DNS_HOST_WITHOUT_NAME = 306 Error "dns-host-without-name"
    DNS_SRV_SERVICE = 307 Error "dns-srv-service"
    DNS_SRV_PROTOCOL = 308 Error "dns-srv-protocol"
    DNS_SRV_WITHOUT_TARGET = 309 Error "dns-srv-without-target"
    DNS_SRV_PORT_ZERO = 310 Error "dns-srv-port-zero"
    DNS_TXT_NAME = 311 Error "dns-txt-name"
    DNS_WITHOUT_IP = 312 Warning "dns-without-ip"
    DNSMASQ_LINE_TOO_LONG = 313 Error "dnsmasq-line-too-long"
    DNS_FORWARDER_PORT = 314 Error "dns-forwarder-port"

    ROUTE_FAMILY = 401 Error "route-family"
    ROUTE_GATEWAY_FAMILY = 402 Error "route-gateway-family"
    ROUTE_PREFIX_TOO_LONG = 403 Error "route-prefix-too-long"
    ROUTE_NETMASK = 404 Error "route-netmask"
    ROUTE_PREFIX_MISSING = 405 Error "route-prefix-missing"
    ROUTE_ADDRESS_NOT_NETWORK = 406 Error "route-address-not-network"
    ROUTE_GATEWAY_OUTSIDE_SUBNETS = 407 Error "route-gateway-outside-subnets"
    ROUTE_GATEWAY_NOT_A_GUEST = 408 Error "route-gateway-not-a-guest"
    ROUTE_METRIC_ZERO = 409 Error "route-metric-zero"
    ROUTE_DUPLICATE = 410 Error "route-duplicate"
    ROUTE_TO_OWN_SUBNET = 411 Error "route-to-own-subnet"
    ROUTE_INSIDE_OWN_SUBNET = 412 Warning "route-inside-own-subnet"
    ROUTE_SHADOWS_DEFAULT = 413 Warning "route-shadows-default"

    FORWARD_WITHOUT_IP = 501 Error "forward-without-ip"
    FORWARD_TOO_MANY_INTERFACES = 502 Error "forward-too-many-interfaces"
    FORWARD_OPEN_WITH_INTERFACE = 503 Error "forward-open-with-interface"
    FORWARD_INTERFACE_TWICE = 504 Error "forward-interface-twice"
    FORWARD_THROUGH_OWN_BRIDGE = 505 Error "forward-through-own-bridge"
    FORWARD_MODE_NONE = 506 Warning "forward-mode-none"
    NAT_OUTSIDE_MODE_NAT = 511 Error "nat-outside-mode-nat"
    NAT_ADDRESS_FAMILY = 512 Error "nat-address-family"
    NAT_ADDRESS_RANGE_TOO_LARGE = 513 Error "nat-address-range-too-large"
    NAT_PORT_ZERO = 514 Error "nat-port-zero"
    NAT_SINGLE_PORT = 515 Warning "nat-single-port"
    NAT_IPV6_WITHOUT_SUBNET = 516 Warning "nat-ipv6-without-subnet"
    BRIDGE_NOT_OWN = 521 Error "bridge-not-own"
    NOT_IN_MODE = 522 Error "not-in-mode"
    WITHOUT_EFFECT_IN_MODE = 523 Warning "without-effect-in-mode"
    POOL_MIXED = 524 Error "pool-mixed"
    POOL_BY_NAME = 525 Error "pool-by-name"
    POOL_BY_ADDRESS = 526 Error "pool-by-address"
    BRIDGE_WITH_POOL = 527 Error "bridge-with-pool"
    POOL_EMPTY = 528 Warning "pool-empty"
    PORT_GROUP_TWICE = 531 Error "portgroup-twice"
    PORT_GROUP_TWO_DEFAULTS = 532 Error "portgroup-two-defaults"
    VLAN_NOT_IN_MODE = 533 Error "vlan-not-in-mode"
    BANDWIDTH_NOT_IN_MODE = 534 Error "bandwidth-not-in-mode"
    BANDWIDTH_PEAK_OUTBOUND = 535 Warning "bandwidth-peak-outbound"
    VIRTUALPORT_NOT_IN_MODE = 536 Warning "virtualport-not-in-mode"
    PORT_UUID = 541 Error "port-uuid"
    PORT_MAC = 542 Error "port-mac"
    PORT_PLUG = 543 Error "port-plug"

    HOST_SUBNET_IN_USE = 601 Error "host-subnet-in-use"
    HOST_ROUTE_EXISTS = 602 Error "host-route-exists"
    HOST_ROUTE_OVERLAPS = 603 Warning "host-route-overlaps"
    HOST_BRIDGE_NAME_TAKEN = 604 Error "host-bridge-name-taken"
    HOST_NO_FREE_BRIDGE_NAME = 605 Error "host-no-free-bridge-name"
    HOST_UUID_TAKEN = 606 Error "host-uuid-taken"
    HOST_NAME_TAKEN = 607 Error "host-name-taken"
    HOST_WITHOUT_IPV6 = 608 Error "host-without-ipv6"
    HOST_FORWARD_INTERFACE_MISSING = 609 Warning "host-forward-interface-missing"
    HOST_WITHOUT_DEFAULT_ROUTE = 610 Warning "host-without-default-route"
    HOST_MTU_LARGER_THAN_FORWARD = 611 Warning "host-mtu-larger-than-forward"
    HOST_SUBNET_INSIDE_ROUTE = 612 Warning "host-subnet-inside-route"
    HOST_BRIDGE_MISSING = 613 Warning "host-bridge-missing"
    HOST_MAC_ATTACHED = 614 Warning "host-mac-attached"
    HOST_NETWORK_NOT_RUNNING = 615 Warning "host-network-not-running"
    HOST_SOURCE_MISSING = 616 Warning "host-source-missing"
    HOST_HEARS_ROUTERS = 617 Error "host-hears-routers"
    HOST_WITHOUT_FIREWALLD = 621 Error "host-without-firewalld"
    HOST_ZONE_MISSING = 622 Error "host-zone-missing"

    VHOSTUSER_WITHOUT_PATH = 701 Error "vhostuser-without-path"
    VHOSTUSER_SERVER_RECONNECTS = 702 Error "vhostuser-server-reconnects"
    MACVTAP_HIDES_HOST = 703 Warning "macvtap-hides-host"
    HOSTDEV_USB = 704 Error "hostdev-usb"
    SOURCE_DEV_WITHOUT_PASST = 705 Error "source-dev-without-passt"
    VLAN_RESERVED = 706 Error "vlan-reserved"
    VLAN_TWICE = 707 Warning "vlan-twice"
    VLAN_UNSUPPORTED = 708 Error "vlan-unsupported"
    PORT_ISOLATED_UNSUPPORTED = 709 Error "port-isolated-unsupported"
    VIRTUALPORT_INCOMPLETE = 710 Error "virtualport-incomplete"
    BANDWIDTH_ON_HOSTDEV = 711 Error "bandwidth-on-hostdev"
    BANDWIDTH_WITHOUT_EFFECT = 712 Warning "bandwidth-without-effect"
    INTERFACE_BANDWIDTH_TOO_LARGE = 713 Error "bandwidth-too-large"
    FILTER_ON_VIRTUALPORT = 714 Error "filter-on-virtualport"
    VHOSTUSER_MEMORY = 715 Error "vhostuser-without-shared-memory"
    MCAST_ADDRESS = 716 Error "mcast-address"
    SOCKET_OF_PASST = 717 Warning "socket-of-passt"
    MODEL_MISSPELLED = 721 Warning "model-misspelled"
    UNMANAGED_UNSUPPORTED = 722 Error "unmanaged-unsupported"
    UNMANAGED_WITHOUT_DEV = 723 Error "unmanaged-without-dev"
    TARGET_NAME = 724 Error "target-name"
    SCRIPT_UNSUPPORTED = 725 Error "script-unsupported"
    DOWNSCRIPT_WITHOUT_EFFECT = 726 Warning "downscript-without-effect"
    VIRTIO_NEEDED = 727 Error "virtio-needed"
    VIRTIO_OPTION = 728 Error "virtio-option"
    DRIVER_WITHOUT_EFFECT = 729 Warning "driver-without-effect"
    QUEUES_UNSUPPORTED = 730 Error "queues-unsupported"
    QUEUE_SIZE = 731 Error "queue-size"
    QUEUE_SIZE_UNUSUAL = 732 Warning "queue-size-unusual"
    BACKEND_TAP_UNSUPPORTED = 733 Error "backend-tap-unsupported"
    TEAMING = 734 Error "teaming"
    MTU_UNSUPPORTED = 735 Error "interface-mtu-unsupported"
    INTERFACE_MTU_RANGE = 736 Error "interface-mtu-range"
    INTERFACE_MTU_WITHOUT_IPV6 = 737 Warning "interface-mtu-without-ipv6"
    COALESCE_UNSUPPORTED = 738 Error "coalesce-unsupported"
    ACPI_INDEX = 739 Error "acpi-index"
    NOT_ON_PCI = 740 Error "not-on-pci"
    GUEST_ROUTE = 741 Error "guest-route"
    GUEST_IP_UNSUPPORTED = 742 Error "guest-ip-unsupported"
    GUEST_IP_TWICE = 743 Error "guest-ip-twice"
    GUEST_IP_PEER = 744 Error "guest-ip-peer"
    GUEST_IP_PREFIX = 745 Error "guest-ip-prefix"
    PASST_UNSUPPORTED = 751 Error "passt-unsupported"
    BACKEND_WITHOUT_PASST = 752 Warning "backend-without-passt"
    PORT_FORWARD_WITHOUT_PASST = 753 Error "port-forward-without-passt"
    PORT_RANGE_WITHOUT_START = 754 Error "port-range-without-start"
    PORT_RANGE_REVERSED = 755 Error "port-range-reversed"
    PORT_EXCLUDED_TO = 756 Warning "port-excluded-to"
    PORT_RANGE_BEYOND = 757 Error "port-range-beyond"
    PORT_EXCLUDED_OUTSIDE = 758 Warning "port-excluded-outside"
    PORT_FORWARDED_TWICE = 759 Error "port-forwarded-twice"
    PORT_PRIVILEGED = 760 Warning "port-privileged"
    INTERFACES_SHARE = 761 Error "interfaces-share"
    TEAMING_ALONE = 762 Warning "teaming-alone"
}

/// What libvirt refuses when it reads a definition; the other errors it finds when the network is defined or started,
/// or not at all.
const OF_LIBVIRTS_PARSER: &[Rule] = &[
    NETWORK_NAME,
    TITLE_NEWLINE,
    MAC_NOT_UNICAST,
    IP_FAMILY,
    IP_PREFIX_TOO_LONG,
    IP_TFTP_FAMILY,
    DHCP_RANGE_FAMILY,
    DHCP_RANGE_OUTSIDE_SUBNET,
    DHCP_RANGE_REVERSED,
    DHCP_RANGE_RESERVED_ADDRESS,
    DHCP_RANGE_TOO_LARGE,
    DHCP_LEASE_TOO_SHORT,
    DHCP_HOST_INCOMPLETE,
    DHCP_HOST_MAC_IN_IPV6,
    DHCP_HOST_MAC_NOT_UNICAST,
    DHCP_HOST_ID,
    DHCP_HOST_NAME,
    DOMAIN_REGISTER,
    DNS_DISABLED_WITH_RECORDS,
    DNS_FORWARDER_EMPTY,
    DNS_HOST_WITHOUT_NAME,
    DNS_SRV_SERVICE,
    DNS_SRV_PROTOCOL,
    DNS_SRV_WITHOUT_TARGET,
    DNS_SRV_PORT_ZERO,
    DNS_TXT_NAME,
    ROUTE_FAMILY,
    ROUTE_GATEWAY_FAMILY,
    ROUTE_PREFIX_TOO_LONG,
    ROUTE_ADDRESS_NOT_NETWORK,
    ROUTE_GATEWAY_OUTSIDE_SUBNETS,
    ROUTE_METRIC_ZERO,
    FORWARD_WITHOUT_IP,
    FORWARD_TOO_MANY_INTERFACES,
    FORWARD_OPEN_WITH_INTERFACE,
    FORWARD_INTERFACE_TWICE,
    NAT_OUTSIDE_MODE_NAT,
    NAT_ADDRESS_FAMILY,
    NAT_ADDRESS_RANGE_TOO_LARGE,
    BRIDGE_NOT_OWN,
    BRIDGE_WITH_POOL,
];

/// Does libvirt refuse what breaks this rule when it reads a definition, before anything is made of it?
pub fn refused_by_libvirts_parser(code: Code) -> bool {
    OF_LIBVIRTS_PARSER.iter().any(|rule| rule.code == code)
}

/// Rules that the reader has as well, with the element around as the place.
pub(crate) const OF_THE_READER_TOO: &[Rule] = &[NETWORK_NAME, FORWARD_INTERFACE_TWICE];

/// Rules that depend on the mode of the network.
pub(crate) const OF_THE_MODE: &[Rule] = &[
    BRIDGE_NOT_OWN,
    NOT_IN_MODE,
    WITHOUT_EFFECT_IN_MODE,
    POOL_BY_NAME,
    POOL_BY_ADDRESS,
    BRIDGE_WITH_POOL,
    VLAN_NOT_IN_MODE,
    BANDWIDTH_NOT_IN_MODE,
    VIRTUALPORT_NOT_IN_MODE,
    FORWARD_TOO_MANY_INTERFACES,
];

/// Rules that miss a subnet.
pub(crate) const OF_ABSENT_SUBNET: &[Rule] =
    &[DNS_WITHOUT_IP, ROUTE_GATEWAY_OUTSIDE_SUBNETS, FORWARD_WITHOUT_IP, NAT_IPV6_WITHOUT_SUBNET];

/// Rules of an interface that miss the backend `passt`.
pub(crate) const OF_ABSENT_BACKEND: &[Rule] = &[
    VHOSTUSER_WITHOUT_PATH,
    SOURCE_DEV_WITHOUT_PASST,
    MTU_UNSUPPORTED,
    GUEST_IP_UNSUPPORTED,
    BACKEND_WITHOUT_PASST,
    PORT_FORWARD_WITHOUT_PASST,
];

/// Rules that miss something beside the value that they are about.
pub(crate) const OF_ABSENT_NEIGHBOUR: &[Rule] = &[
    IP_PREFIX_MISSING,
    IP_PREFIX_BY_CLASS,
    DHCP_HOST_INCOMPLETE,
    BOOTP_WITHOUT_DHCP,
    DOMAIN_REGISTER,
    DNS_FORWARDER_EMPTY,
    DNS_HOST_WITHOUT_NAME,
    DNS_SRV_WITHOUT_TARGET,
    ROUTE_PREFIX_MISSING,
    POOL_EMPTY,
    PORT_RANGE_WITHOUT_START,
    MACVTAP_HIDES_HOST,
];

/// Rules that depend on the model of an interface.
pub(crate) const OF_THE_MODEL: &[Rule] = &[VIRTIO_NEEDED, VIRTIO_OPTION, DRIVER_WITHOUT_EFFECT, TEAMING];

/// Rules of QEMU: other hypervisors can do what it cannot.
pub(crate) const OF_QEMU: &[Rule] = &[
    VHOSTUSER_WITHOUT_PATH,
    VHOSTUSER_SERVER_RECONNECTS,
    VHOSTUSER_MEMORY,
    MCAST_ADDRESS,
    HOSTDEV_USB,
    MODEL_MISSPELLED,
    SCRIPT_UNSUPPORTED,
    DOWNSCRIPT_WITHOUT_EFFECT,
    VIRTIO_NEEDED,
    QUEUE_SIZE,
    QUEUE_SIZE_UNUSUAL,
    TEAMING,
    MTU_UNSUPPORTED,
    COALESCE_UNSUPPORTED,
    NOT_ON_PCI,
    GUEST_ROUTE,
    GUEST_IP_UNSUPPORTED,
    GUEST_IP_TWICE,
    GUEST_IP_PEER,
    GUEST_IP_PREFIX,
];
