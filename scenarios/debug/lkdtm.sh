#!/bin/sh
# Has the kernel's LKDTM do what the argument names. Each WARN_ONCE is armed again first.
echo 1 > /sys/kernel/debug/clear_warn_once
echo "$1" > /sys/kernel/debug/provoke-crash/DIRECT
