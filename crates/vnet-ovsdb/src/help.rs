//! What to do about what a database could not do.

use crate::{Error, ParseRemoteError, Refusal, TlsFailure, Unusable};

impl Error {
    /// What to do about it. `None` where only the caller knows: the server's words say what it
    /// does not like.
    pub fn help(&self) -> Option<String> {
        Some(match self {
            Self::NoServer { tried, .. } if tried.is_empty() => "name a server".to_owned(),
            Self::NoServer { tried, .. } => {
                let mut all: Vec<String> = Vec::new();
                for help in tried.iter().filter_map(|(_, why)| why.help()) {
                    if !all.contains(&help) {
                        all.push(help);
                    }
                }
                return (!all.is_empty()).then(|| all.join("; "));
            }
            Self::TimedOut { .. } => {
                "look whether it is done before you try again; a cluster without a majority of its servers does not \
                 answer: see `ovs-appctl -t CONTROL-SOCKET cluster/status DATABASE`"
                    .to_owned()
            }
            Self::Ended { .. } => "look whether it is done before you try again".to_owned(),
            Self::MonitorsLost => "watch the rows anew, which tells those that there are".to_owned(),
            Self::Protocol { .. } => "check that the address is that of an ovsdb-server".to_owned(),
            Self::TooLong { .. } => "ask for fewer rows or columns".to_owned(),
            Self::Call { .. } => "check that the server is not older than what it is asked for".to_owned(),
            Self::Refused { refusal, .. } => return refusal.help(),
        })
    }
}

impl Unusable {
    /// What to do about it.
    pub fn help(&self) -> Option<String> {
        Some(match self {
            Self::Connect(_) => "check that ovsdb-server runs, and that this user may use its socket".to_owned(),
            Self::NoDatabase => "`ovsdb-client list-dbs` lists the databases that a server has".to_owned(),
            Self::NoMajority => {
                "start the other servers of the cluster, or see that this one reaches them: `ovs-appctl -t \
                 CONTROL-SOCKET cluster/status DATABASE`"
                    .to_owned()
            }
            Self::NotLeader => "add the addresses of the cluster's other servers".to_owned(),
            Self::Tls(failure) => failure.help(),
            Self::Failed(error) => return error.help(),
        })
    }
}

impl TlsFailure {
    /// What to do about it.
    pub fn help(&self) -> String {
        match self {
            Self::NotBuilt => {
                "take a package of vnet, or build it with `--features tls`, for x86_64 or aarch64; or use another \
                 address of the server"
            }
            Self::Processor => "use another host, or another address of the server",
            Self::NoFiles => "name the files that `ovs-vsctl --private-key --certificate --ca-cert` takes",
            Self::File { .. } => "check the path, and that this user may read the file",
            Self::Content { .. } => "name another file, or make it anew: `ovs-pki req+sign NAME`",
            Self::OtherKey { .. } => "name the key that the certificate was asked for with",
            Self::Untrusted { .. } => {
                "name the certificate of the CA that has signed the server's; of `ovs-pki` that is \
                 switchca/cacert.pem or controllerca/cacert.pem"
            }
            Self::OutOfTime(_) => "check the clocks of both hosts, or renew the server's certificate",
            Self::Certificate(_) => "make the server's certificate anew: `ovs-pki req+sign NAME`",
            Self::Refused(_) => "name a certificate that is valid and signed by the CA that the server was given",
            Self::Ended => "check that the server listens there by `pssl:`",
            Self::Other(_) => "check that the server listens there by `pssl:`, with TLS 1.2 or newer",
        }
        .to_owned()
    }
}

impl Refusal {
    /// What to do about it. `None` where it depends on what was asked.
    pub fn help(&self) -> Option<String> {
        Some(match self {
            Self::ConstraintViolation | Self::ReferentialIntegrity | Self::Range | Self::Other(_) => return None,
            Self::DuplicateUuid | Self::DuplicateUuidName => return None,
            Self::NotAsExpected => "look again, then try again".to_owned(),
            Self::NotOwner => "take the lock first, or wait until the other client ends".to_owned(),
            Self::Resources => "check the free space of the server's disk".to_owned(),
            Self::NotUnderstood => "check that the server's schema is not older than what it is asked for".to_owned(),
            Self::NotPermitted => "check the role of the server's remote".to_owned(),
        })
    }
}

impl ParseRemoteError {
    /// What to do about it.
    pub fn help(&self) -> String {
        "write `unix:/run/openvswitch/db.sock`, `tcp:192.0.2.1:6640`, `tcp:[2001:db8::1]:6640` or `ssl:192.0.2.1:6640`"
            .to_owned()
    }
}
