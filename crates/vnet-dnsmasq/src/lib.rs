//! dnsmasq configuration, hosts files and leases of a virtual network
