//! Effects: applies plans to a Linux host, keeps receipts, observes
