//! The address of a database server that has several nodes, taken apart around their hosts.

/// `mysql://user:password@` `a:3306`,`b:3306`,`c:3306` `/name?option=value`: one database, reached at any of several hosts.
///
/// PostgreSQL's own tools write it the same way (libpq, "Specifying Multiple Hosts"). Nothing is checked here but where the
/// hosts are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServerAddress<'a> {
    before: &'a str,
    hosts: Vec<&'a str>,
    after: &'a str,
}

impl<'a> ServerAddress<'a> {
    /// Takes an address apart. One without `://` has a single host, which is empty.
    #[must_use]
    pub fn parse(address: &'a str) -> Self {
        let scheme_end = address.find("://").map_or(address.len(), |index| index + "://".len());
        let (scheme, rest) = address.split_at(scheme_end);
        let authority_end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
        let (authority, after) = rest.split_at(authority_end);
        // A password may hold a comma, a host may not.
        let hosts_begin = authority.rfind('@').map_or(0, |index| index + 1);
        let (user, hosts) = authority.split_at(hosts_begin);
        let (before, _) = address.split_at(scheme.len() + user.len());
        Self {
            before,
            hosts: hosts.split(',').map(str::trim).collect(),
            after,
        }
    }

    /// The hosts, with their ports where they have one, without user and password; at least one.
    #[must_use]
    pub fn hosts(&self) -> &[&'a str] {
        &self.hosts
    }

    /// The address with each of its hosts alone.
    pub fn of_each_host(&self) -> impl Iterator<Item = String> {
        self.hosts.iter().map(|host| self.with_host(host))
    }

    /// The same with other hosts, as many as `hosts` names, separated by commas.
    #[must_use]
    pub fn with_host(&self, hosts: &str) -> String {
        [self.before, hosts, self.after].concat()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_of_several_hosts_is_one_address_for_each() {
        let address = ServerAddress::parse("mysql://app:a,b@c@one:3306,two, [::1]:7/app?ssl-mode=required");
        assert_eq!(address.hosts(), ["one:3306", "two", "[::1]:7"]);
        let each: Vec<_> = address.of_each_host().collect();
        assert_eq!(each[1], "mysql://app:a,b@c@two/app?ssl-mode=required");
        assert_eq!(each.len(), 3);
    }

    #[test]
    fn an_address_of_one_host_stays_as_it_is() {
        for address in [
            "mysql://localhost",
            "postgres:///app?host=/run/postgresql",
            "postgres://u@h:1/n?a=b,c",
            "sqlite::memory:",
            "",
        ] {
            let each: Vec<_> = ServerAddress::parse(address).of_each_host().collect();
            assert_eq!(each, [address]);
        }
    }
}
