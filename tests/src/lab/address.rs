//! Names and addresses of one lab.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// A host of the lab's internet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Host {
    /// The name as a client asks for it.
    pub(crate) name: &'static str,
    /// Last byte of its addresses.
    pub(crate) number: u8,
    /// Names between the asked one and the addresses.
    pub(crate) cnames: &'static [&'static str],
}

/// OpenAI, behind a CDN-like chain of names.
pub(crate) const OPENAI: Host = Host {
    name: "api.openai.com",
    number: 10,
    cnames: &["api.openai.com.cdn.example.net", "edge-7.cdn.example.net"],
};
/// Anthropic.
pub(crate) const ANTHROPIC: Host = Host {
    name: "api.anthropic.com",
    number: 20,
    cnames: &[],
};
/// OpenAI's models at Azure.
pub(crate) const AZURE: Host = Host {
    name: "lab.openai.azure.com",
    number: 18,
    cnames: &[],
};
/// An OpenAI-compatible provider of the catalog.
pub(crate) const COMPATIBLE: Host = Host {
    name: "api.groq.com",
    number: 30,
    cnames: &[],
};
/// A provider of the operator's own, which answers what a test case scripts byte by byte.
pub(crate) const SCRIPTED: Host = Host {
    name: "llm.scripted.test",
    number: 40,
    cnames: &[],
};
/// Gemini.
pub(crate) const GEMINI: Host = Host {
    name: "generativelanguage.googleapis.com",
    number: 11,
    cnames: &[],
};
/// Vertex, in one of its regions.
pub(crate) const VERTEX: Host = Host {
    name: "us-central1-aiplatform.googleapis.com",
    number: 12,
    cnames: &[],
};
/// Bedrock, in one of its regions.
pub(crate) const BEDROCK: Host = Host {
    name: "bedrock-runtime.us-east-1.amazonaws.com",
    number: 13,
    cnames: &[],
};
/// Cohere.
pub(crate) const COHERE: Host = Host {
    name: "api.cohere.com",
    number: 14,
    cnames: &[],
};
/// Mistral, which speaks OpenAI's shapes with an SDK of its own.
pub(crate) const MISTRAL: Host = Host {
    name: "api.mistral.ai",
    number: 15,
    cnames: &[],
};
/// An Ollama server of the operator's own.
pub(crate) const OLLAMA: Host = Host {
    name: "ollama.own.test",
    number: 16,
    cnames: &[],
};
/// A Text Generation Inference server of the operator's own.
pub(crate) const TGI: Host = Host {
    name: "tgi.own.test",
    number: 17,
    cnames: &[],
};
/// A server of the Model Context Protocol of the operator's own; a test starts it.
pub(crate) const MCP: Host = Host {
    name: "mcp.own.test",
    number: 19,
    cnames: &[],
};
/// An ordinary site that shares OpenAI's address.
pub(crate) const ORDINARY: Host = Host {
    name: "www.example.test",
    number: 10,
    cnames: &[],
};
/// Providers of the operator's own whose certificates are wrong.
pub(crate) const EXPIRED: Host = Host {
    name: "expired.scripted.test",
    number: 50,
    cnames: &[],
};
/// See [`EXPIRED`].
pub(crate) const WRONG_NAME: Host = Host {
    name: "wrong-name.scripted.test",
    number: 50,
    cnames: &[],
};
/// See [`EXPIRED`].
pub(crate) const UNKNOWN_CA: Host = Host {
    name: "unknown-ca.scripted.test",
    number: 50,
    cnames: &[],
};
/// A provider that nothing listens for.
pub(crate) const DEAD: Host = Host {
    name: "dead.scripted.test",
    number: 60,
    cnames: &[],
};

/// The bench's upstream.
pub(crate) const BENCH: Host = Host {
    name: "bench.scripted.test",
    number: 70,
    cnames: &[],
};
/// A real inference server, over HTTP without TLS; nothing listens for it but in the suite that starts it.
pub(crate) const LLAMA: Host = Host {
    name: "llama.models.test",
    number: 95,
    cnames: &[],
};
/// An ordinary site at an address of its own.
pub(crate) const ORDINARY_ALONE: Host = Host {
    name: "alone.example.test",
    number: 80,
    cnames: &[],
};

/// An ordinary site of the bench that moves bulk data.
pub(crate) const BULK: Host = Host {
    name: "bulk.example.test",
    number: 90,
    cnames: &[],
};

/// Providers of the operator's own at addresses that no test asks for twice: whoever needs an address that is not marked
/// takes the next one.
pub(crate) const ROUTES: [Host; 24] = {
    const fn route(name: &'static str, number: u8) -> Host {
        Host {
            name,
            number,
            cnames: &[],
        }
    }
    [
        route("r00.route.test", 100),
        route("r01.route.test", 101),
        route("r02.route.test", 102),
        route("r03.route.test", 103),
        route("r04.route.test", 104),
        route("r05.route.test", 105),
        route("r06.route.test", 106),
        route("r07.route.test", 107),
        route("r08.route.test", 108),
        route("r09.route.test", 109),
        route("r10.route.test", 110),
        route("r11.route.test", 111),
        route("r12.route.test", 112),
        route("r13.route.test", 113),
        route("r14.route.test", 114),
        route("r15.route.test", 115),
        route("r16.route.test", 116),
        route("r17.route.test", 117),
        route("r18.route.test", 118),
        route("r19.route.test", 119),
        route("r20.route.test", 120),
        route("r21.route.test", 121),
        route("r22.route.test", 122),
        route("r23.route.test", 123),
    ]
};

/// Hosts with a name in the lab's DNS, beside [`ROUTES`].
pub(crate) const HOSTS: [Host; 22] = [
    OPENAI,
    AZURE,
    ANTHROPIC,
    COMPATIBLE,
    GEMINI,
    VERTEX,
    BEDROCK,
    COHERE,
    MISTRAL,
    OLLAMA,
    TGI,
    MCP,
    SCRIPTED,
    ORDINARY,
    ORDINARY_ALONE,
    EXPIRED,
    WRONG_NAME,
    UNKNOWN_CA,
    DEAD,
    BENCH,
    BULK,
    LLAMA,
];

/// Every host with a name in the lab's DNS.
pub(crate) fn every_host() -> impl Iterator<Item = Host> {
    HOSTS.into_iter().chain(ROUTES)
}

const DNS_NUMBER: u8 = 53;

/// The addresses of one lab: 10.99.`slot`.0/24 and fd57:6569:`7200 + slot`::/48.
#[derive(Clone, Copy, Debug)]
pub(crate) struct AddressPlan {
    slot: u8,
}

/// One veth pair between a netns of workloads and the lab's internet.
#[derive(Clone, Debug)]
pub(crate) struct Link {
    /// Interface name on the workloads' side; unique on the machine because one of them is in the host's netns.
    pub(crate) near_name: String,
    /// Interface name on the internet's side.
    pub(crate) far_name: String,
    /// Addresses with prefix length on the workloads' side.
    pub(crate) near: [String; 2],
    /// Addresses with prefix length on the internet's side.
    pub(crate) far: [String; 2],
    /// Gateways as the workloads see them, in the order of `routes`.
    pub(crate) gateways: [IpAddr; 2],
    /// The networks of the lab's services.
    pub(crate) routes: [String; 2],
}

impl AddressPlan {
    /// The plan of the lab in this slot.
    pub(crate) fn of(slot: u8) -> Self {
        Self { slot }
    }

    /// The IPv4 address of a host.
    pub(crate) fn v4(&self, host: Host) -> Ipv4Addr {
        self.service_v4(host.number)
    }

    /// The IPv6 address of a host.
    pub(crate) fn v6(&self, host: Host) -> Ipv6Addr {
        self.service_v6(host.number)
    }

    /// Where the stand-in for the Kubernetes API server listens: an address of the machine's own.
    pub(crate) fn api_server(&self) -> Ipv4Addr {
        Ipv4Addr::new(127, 99, self.slot, 43)
    }

    /// The DNS server's address for resolv.conf.
    pub(crate) fn dns_v4(&self) -> Ipv4Addr {
        self.service_v4(DNS_NUMBER)
    }

    /// The DNS server's IPv6 address.
    pub(crate) fn dns_v6(&self) -> Ipv6Addr {
        self.service_v6(DNS_NUMBER)
    }

    /// The network of a container runtime's bridge, outside of the lab's own range.
    pub(crate) fn bridge(&self) -> String {
        format!("10.98.{}.0/24", self.slot)
    }

    /// Every service address, as `ip address add` takes it.
    pub(crate) fn services(&self) -> Vec<String> {
        let mut numbers: Vec<u8> = every_host().map(|host| host.number).collect();
        numbers.push(DNS_NUMBER);
        numbers.sort_unstable();
        numbers.dedup();
        numbers
            .into_iter()
            .flat_map(|number| {
                [
                    format!("{}/32", self.service_v4(number)),
                    format!("{}/128", self.service_v6(number)),
                ]
            })
            .collect()
    }

    /// The `index`-th link. Services are in the lower half of the IPv4 range, links in the upper, four addresses each.
    pub(crate) fn link(&self, index: u8) -> Link {
        let base = 128 + index * 4;
        let v4 = |last| Ipv4Addr::new(10, 99, self.slot, last);
        let v6 = |last| self.network_v6(u16::from(index) + 1, last);
        Link {
            near_name: format!("wl{}l{index}", self.slot),
            far_name: format!("link{index}"),
            near: [format!("{}/30", v4(base + 1)), format!("{}/64", v6(1))],
            far: [format!("{}/30", v4(base + 2)), format!("{}/64", v6(2))],
            gateways: [IpAddr::V4(v4(base + 2)), IpAddr::V6(v6(2))],
            routes: [
                format!("10.99.{}.0/25", self.slot),
                format!("{}/64", self.network_v6(0, 0)),
            ],
        }
    }

    fn service_v4(&self, number: u8) -> Ipv4Addr {
        Ipv4Addr::new(10, 99, self.slot, number)
    }

    fn service_v6(&self, number: u8) -> Ipv6Addr {
        self.network_v6(0, u16::from(number))
    }

    fn network_v6(&self, network: u16, last: u16) -> Ipv6Addr {
        Ipv6Addr::new(
            0xfd57,
            0x6569,
            0x7200 + u16::from(self.slot),
            network,
            0,
            0,
            0,
            last,
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_labs_share_no_address() {
        let (one, two) = (AddressPlan::of(1), AddressPlan::of(2));
        assert!(
            one.services()
                .iter()
                .all(|address| !two.services().contains(address))
        );
        assert_ne!(one.link(0).near, two.link(0).near);
        assert_ne!(one.link(0).near_name, two.link(0).near_name);
    }

    #[test]
    fn links_do_not_overlap_with_services() {
        let plan = AddressPlan::of(0);
        assert_eq!(plan.link(0).near[0], "10.99.0.129/30");
        assert_eq!(plan.link(31).far[0], "10.99.0.254/30");
        assert_eq!(plan.v4(OPENAI), plan.v4(ORDINARY));
    }
}
