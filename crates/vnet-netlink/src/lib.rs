//! Links, addresses and routes over a small blocking netlink transport, with typed refusals
