#!/usr/bin/env bash
# Runs in the machine, once for each boot.
export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin HOME=/root LC_ALL=C.UTF-8
boot=$(($(cat /cases/boot) + 1))
echo $boot > /cases/boot
{
    echo
    bash /cases/cases.sh $boot < /dev/null 2>&1
    echo "@end $boot"
} > /dev/ttyS0
# This ends qemu, and stops the units in their order.
systemctl reboot
