//! Every finding on a libvirt network definition at once, with a code, a path and help
