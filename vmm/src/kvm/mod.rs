//! Our own machine on `/dev/kvm`.
