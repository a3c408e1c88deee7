# The third boot: firewalld.
echo "# firewalld $(firewall-cmd --version)"
it "the unit succeeds beside firewalld" is active vnet
it "the network runs" runs virbr7
world
guest virbr7
it "a guest gets an address" asks_for_an_address
it "the bridge is in its zone" eval '[ "$(firewall-cmd --get-zone-of-interface virbr7)" = libvirt ]'
it "a guest reaches out" reaches_out
it "firewalld reloads" firewall-cmd --reload
it "a guest reaches out after firewall-cmd --reload" after_jobs eventually reaches_out
it "the network is in sync after it" eventually in_sync lab
it "firewalld is sent a SIGHUP" systemctl reload firewalld
it "a guest reaches out after a reload of the unit" after_jobs eventually reaches_out
it "the network is in sync after it" eventually in_sync lab
it "firewalld restarts" systemctl restart firewalld
it "a guest reaches out after a restart of firewalld" after_jobs eventually reaches_out
it "the network is in sync after it" eventually in_sync lab

action=/usr/share/polkit-1/actions/org.fedoraproject.FirewallD1.policy
mv $action /cases
systemctl restart polkit
it "polkit that does not know firewalld is named" refused polkit vnet diff lab
mv /cases/org.fedoraproject.FirewallD1.policy $action
systemctl restart polkit

it "nftables takes the place of firewalld" systemctl start nftables
it "firewalld is stopped" eventually is inactive firewalld
it "a guest reaches out when the firewalls have changed over" after_jobs eventually reaches_out
