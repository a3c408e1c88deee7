# What the findings about libvirt's XML share: two releases' virsh and the networks of the test
# driver, which parse and print as the real driver does.
. "$(dirname "$0")/lib.sh"
# printed RELEASE NAME XML ELEMENT: what virsh prints of an element after it has defined the network
printed() {
    printf '%s' "$3" > "$here/$1/finding.xml"
    inside "$1" 'virsh -q -c test:///default "net-define /finding.xml; net-dumpxml '"$2"'" 2>&1 | grep -E "'"$4"'|XML error"' |
        sed -E 's/^ +//; s/^error: //' | paste -s -d ' '
}
unpack trixie 11.3 libvirt-clients=11.3.0-3+deb13u3
unpack sid 12.8 libvirt-clients=12.8.0-1
