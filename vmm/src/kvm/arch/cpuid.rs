//! What CPUID tells the guest: what KVM supports, and each processor's place among the others.
//!
//! Sources: Intel SDM volume 2, CPUID; AMD APM volume 3, appendix E; Linux
//! `Documentation/virt/kvm/x86/cpuid.rst`.

use kvm_bindings::{CpuId, kvm_cpuid_entry2};

const LEAF_FEATURES: u32 = 0x1;
const LEAF_CACHES: u32 = 0x4;
const LEAF_POWER: u32 = 0x6;
const LEAF_PMU: u32 = 0xa;
const LEAF_TOPOLOGY: u32 = 0xb;
const LEAF_TOPOLOGY_V2: u32 = 0x1f;
const LEAF_AMD_SIZES: u32 = 0x8000_0008;
const LEAF_AMD_TOPOLOGY: u32 = 0x8000_001e;

/// Leaf 1, ECX: performance capabilities MSR. Off, as there is no performance counter.
const PDCM: u32 = 1 << 15;
/// Leaf 1, ECX: APIC timer in TSC-deadline mode. KVM emulates it, but leaves it to us to say so.
const TSC_DEADLINE: u32 = 1 << 24;
/// Leaf 1, ECX: there is a hypervisor.
const HYPERVISOR: u32 = 1 << 31;
/// Leaf 1, EDX: more than one logical processor in the package.
const HYPER_THREADING: u32 = 1 << 28;
/// Leaf 6, EAX: the APIC timer always runs, so the kernel needs no PIT beside it.
const ALWAYS_RUNNING_APIC_TIMER: u32 = 1 << 2;

const LEVEL_THREAD: u32 = 1;
const LEVEL_CORE: u32 = 2;

/// Where a processor stands: one package, in which every processor is a core of one thread.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Place {
    /// Its number, which is its APIC id too.
    pub(crate) cpu: u8,
    /// How many there are.
    pub(crate) cpus: u8,
}

/// CPUID of the processor at `place`, from what KVM supports.
pub(crate) fn of_processor(supported: &CpuId, place: Place) -> CpuId {
    let mut cpuid = supported.clone();
    for entry in cpuid.as_mut_slice() {
        adapt(entry, place);
    }
    cpuid
}

/// Words of CPUID that are sets of features: leaf, subleaf, register (0 to 3 for EAX to EDX). The bits in the mask follow
/// the processor's control registers and say nothing of what it can do: OSXSAVE and MONITOR, OSPKE.
const FEATURES: [(u32, u32, usize, u32); 11] = [
    (LEAF_FEATURES, 0, 2, 1 << 27 | 1 << 3),
    (LEAF_FEATURES, 0, 3, 0),
    (0x7, 0, 1, 0),
    (0x7, 0, 2, 1 << 4),
    (0x7, 0, 3, 0),
    (0x7, 1, 0, 0),
    (0xd, 0, 0, 0),
    (0xd, 1, 0, 0),
    (0x8000_0001, 0, 2, 0),
    (0x8000_0001, 0, 3, 0),
    (0x4000_0001, 0, 0, 0),
];

/// What a processor that was saved with CPUID `saved` has and one here has not; in words.
pub(crate) fn missing(saved: &[kvm_cpuid_entry2], here: &CpuId) -> Option<String> {
    let here = here.as_slice();
    let vendor = |entries| [1, 3, 2].map(|register| word(entries, 0, 0, register));
    if vendor(saved) != vendor(here) {
        return Some("a processor of another maker".into());
    }
    FEATURES.into_iter().find_map(|(leaf, subleaf, register, volatile)| {
        let [there, here] = [saved, here].map(|entries| word(entries, leaf, subleaf, register));
        let lacks = there & !here & !volatile;
        let name = ["EAX", "EBX", "ECX", "EDX"][register];
        (lacks != 0).then(|| format!("features {lacks:#x} of CPUID leaf {leaf:#x}, {name}"))
    })
}

fn word(entries: &[kvm_cpuid_entry2], leaf: u32, subleaf: u32, register: usize) -> u32 {
    let entry = entries.iter().find(|entry| (entry.function, entry.index) == (leaf, subleaf));
    entry.map_or(0, |entry| [entry.eax, entry.ebx, entry.ecx, entry.edx][register])
}

fn adapt(entry: &mut kvm_cpuid_entry2, place: Place) {
    let (cpu, cpus) = (u32::from(place.cpu), u32::from(place.cpus));
    match entry.function {
        LEAF_FEATURES => {
            // Initial APIC id, number of logical processors; the CLFLUSH size stays.
            entry.ebx = entry.ebx & 0xffff | cpu << 24 | cpus << 16;
            entry.ecx = entry.ecx & !PDCM | TSC_DEADLINE | HYPERVISOR;
            entry.edx = set(entry.edx, HYPER_THREADING, cpus > 1);
        }
        // No cache is shared by threads; all cores are in one package.
        LEAF_CACHES if entry.eax != 0 => {
            entry.eax = entry.eax & 0x3fff | (cpus - 1).min(0x3f) << 26;
        }
        LEAF_POWER => entry.eax |= ALWAYS_RUNNING_APIC_TIMER,
        LEAF_PMU => (entry.eax, entry.ebx, entry.ecx, entry.edx) = (0, 0, 0, 0),
        LEAF_TOPOLOGY | LEAF_TOPOLOGY_V2 => set_topology(entry, place),
        // NC: processors in the package, less one; ApicIdCoreIdSize.
        LEAF_AMD_SIZES => entry.ecx = entry.ecx & !0xf0ff | (cpus - 1) | id_bits(cpus) << 12,
        // Extended APIC id; core id; node 0.
        LEAF_AMD_TOPOLOGY => (entry.eax, entry.ebx, entry.ecx) = (cpu, cpu & 0xff, 0),
        _ => {}
    }
}

fn set_topology(entry: &mut kvm_cpuid_entry2, place: Place) {
    let cpus = u32::from(place.cpus);
    let (shift, processors, level) = match entry.index {
        0 => (0, 1, LEVEL_THREAD),
        1 => (id_bits(cpus), cpus, LEVEL_CORE),
        _ => (0, 0, 0),
    };
    (entry.eax, entry.ebx) = (shift, processors);
    entry.ecx = entry.index | level << 8;
    entry.edx = place.cpu.into();
}

/// Bits of an APIC id that tell `cpus` processors apart.
fn id_bits(cpus: u32) -> u32 {
    cpus.next_power_of_two().trailing_zeros()
}

fn set(value: u32, bit: u32, on: bool) -> u32 {
    if on { value | bit } else { value & !bit }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(function: u32, index: u32) -> kvm_cpuid_entry2 {
        kvm_cpuid_entry2 {
            function,
            index,
            eax: !0,
            ebx: !0,
            ecx: !0,
            edx: !0,
            ..Default::default()
        }
    }

    fn adapted(function: u32, index: u32, cpu: u8, cpus: u8) -> kvm_cpuid_entry2 {
        let supported = CpuId::from_entries(&[entry(function, index)]).unwrap();
        of_processor(&supported, Place { cpu, cpus }).as_slice()[0]
    }

    #[test]
    fn each_processor_has_its_own_apic_id_in_every_leaf_that_states_one() {
        for cpu in 0..4 {
            assert_eq!(adapted(LEAF_FEATURES, 0, cpu, 4).ebx >> 24, u32::from(cpu));
            assert_eq!(adapted(LEAF_TOPOLOGY, 1, cpu, 4).edx, u32::from(cpu));
            assert_eq!(adapted(LEAF_AMD_TOPOLOGY, 0, cpu, 4).eax, u32::from(cpu));
        }
    }

    #[test]
    fn the_timer_needs_no_pit_and_there_is_no_performance_counter() {
        let features = adapted(LEAF_FEATURES, 0, 0, 1);
        assert_eq!(features.ecx & (TSC_DEADLINE | HYPERVISOR | PDCM), TSC_DEADLINE | HYPERVISOR);
        assert_eq!(features.edx & HYPER_THREADING, 0);
        assert_ne!(adapted(LEAF_POWER, 0, 0, 1).eax & ALWAYS_RUNNING_APIC_TIMER, 0);
        assert_eq!(adapted(LEAF_PMU, 0, 0, 1).eax, 0);
    }

    #[test]
    fn three_processors_are_three_cores_of_one_package() {
        let core = adapted(LEAF_TOPOLOGY, 1, 2, 3);
        assert_eq!((core.eax, core.ebx, core.ecx), (2, 3, LEVEL_CORE << 8 | 1));
        let thread = adapted(LEAF_TOPOLOGY, 0, 2, 3);
        assert_eq!((thread.eax, thread.ebx, thread.ecx), (0, 1, LEVEL_THREAD << 8));
        assert_eq!(adapted(LEAF_AMD_SIZES, 0, 2, 3).ecx & 0xf0ff, 2 << 12 | 2);
        assert_eq!(adapted(LEAF_CACHES, 0, 2, 3).eax >> 26, 2);
    }

    #[test]
    fn other_leaves_are_passed_on() {
        assert_eq!(adapted(0x4000_0000, 0, 1, 2), entry(0x4000_0000, 0));
    }

    #[test]
    fn a_feature_that_is_not_here_is_named_and_what_only_follows_control_registers_is_not() {
        let features = |ecx| kvm_cpuid_entry2 { ecx, ..entry(LEAF_FEATURES, 0) };
        let here = CpuId::from_entries(&[features(0b1)]).unwrap();
        assert_eq!(missing(&[features(0b1 | 1 << 27)], &here), None);
        assert_eq!(missing(&[features(0)], &here), None, "more than needed is fine");
        let words = missing(&[features(0b101)], &here).unwrap();
        assert!(words.contains("0x4 of CPUID leaf 0x1, ECX"), "{words}");
        let maker = kvm_cpuid_entry2 { ebx: 7, ..entry(0, 0) };
        assert!(missing(&[maker, features(0b1)], &here).unwrap().contains("maker"));
    }
}
