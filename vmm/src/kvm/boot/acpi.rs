//! ACPI tables: the processors, the interrupt controller, the devices, power-off and reset.
//!
//! The machine is "hardware-reduced": no legacy interrupt controller and timer, no power-management
//! timer, no SCI. So the kernel calibrates nothing against a PIT that is not there.
//! Source: ACPI specification 6.5, sections 5.2 (tables), 4.8.3.7 (sleep registers), 6.4 (resources).

use acpi_tables::Aml;
use acpi_tables::aml::{
    Device, EISAName, IO, Interrupt, Memory32Fixed, Name, Package, Path, ResourceTemplate, Scope,
};
use acpi_tables::fadt::{FADTBuilder, Flags};
use acpi_tables::gas::{AccessSize, AddressSpace, GAS};
use acpi_tables::madt::{
    EnabledStatus, IoApic, LocalInterruptController, MADT, ProcessorLocalApic,
};
use acpi_tables::rsdp::Rsdp;
use acpi_tables::sdt::Sdt;
use acpi_tables::xsdt::XSDT;

use crate::kvm::arch::layout::{
    ACPI_TABLES, IO_APIC, LOCAL_APIC, SERIAL_IRQ, VIRTIO_BASE, VIRTIO_IRQ, VIRTIO_STRIDE,
};
use crate::kvm::devices::ports;

const OEM: [u8; 6] = *b"KHARN ";
const OEM_TABLE: [u8; 8] = *b"KHARNESS";
const OEM_REVISION: u32 = 1;

const TABLE_HEADER_SIZE: u32 = 36;
const TABLE_ALIGN: u64 = 16;

/// `IAPC_BOOT_ARCH`: no VGA to probe (bit 2), no CMOS clock (bit 5). No keyboard controller is
/// announced (bit 1 clear), so its probe is skipped; its reset command still works.
const BOOT_ARCH: u16 = 1 << 2 | 1 << 5;

/// The tables of a machine with `cpus` processors and `virtio` devices, as one piece to be written
/// at [`ACPI_TABLES`].
pub(crate) fn tables(cpus: u8, virtio: u8) -> Vec<u8> {
    // The root pointer comes first, so its place is known before what it points to.
    let mut tables = Tables { bytes: vec![0; size_of::<Rsdp>()] };
    let dsdt = tables.add(&dsdt(virtio));
    let fadt = tables.add(&bytes_of(&fadt(dsdt)));
    let madt = tables.add(&bytes_of(&madt(cpus)));
    let mut xsdt = XSDT::new(OEM, OEM_TABLE, OEM_REVISION);
    xsdt.add_entry(fadt);
    xsdt.add_entry(madt);
    let xsdt = tables.add(&bytes_of(&xsdt));
    let root = bytes_of(&Rsdp::new(OEM, xsdt));
    tables.bytes[..root.len()].copy_from_slice(&root);
    tables.bytes
}

struct Tables {
    bytes: Vec<u8>,
}

impl Tables {
    /// Appends a table; gives its guest-physical address.
    fn add(&mut self, table: &[u8]) -> u64 {
        let offset = (self.bytes.len() as u64).next_multiple_of(TABLE_ALIGN);
        self.bytes.resize(usize::try_from(offset).unwrap_or(usize::MAX), 0);
        self.bytes.extend(table);
        ACPI_TABLES + offset
    }
}

fn bytes_of(table: &dyn Aml) -> Vec<u8> {
    let mut bytes = Vec::new();
    table.to_aml_bytes(&mut bytes);
    bytes
}

fn io_register(port: u16) -> GAS {
    GAS::new(AddressSpace::SystemIo, 8, 0, AccessSize::ByteAccess, port.into())
}

fn fadt(dsdt: u64) -> acpi_tables::fadt::FADT {
    let mut fadt = FADTBuilder::new(OEM, OEM_TABLE, OEM_REVISION)
        .dsdt_64(dsdt)
        .flag(Flags::HwReducedAcpi)
        .flag(Flags::ResetRegSup);
    fadt.iapc_boot_arch = BOOT_ARCH.into();
    fadt.reset_reg = io_register(ports::RESET);
    fadt.reset_value = ports::RESET_VALUE;
    fadt.sleep_control_reg = io_register(ports::SLEEP_CONTROL);
    fadt.sleep_status_reg = io_register(ports::SLEEP_STATUS);
    fadt.finalize()
}

fn madt(cpus: u8) -> MADT {
    let controller = LocalInterruptController::Address(LOCAL_APIC);
    let mut madt = MADT::new(OEM, OEM_TABLE, OEM_REVISION, controller);
    for cpu in 0..cpus {
        madt.add_structure(ProcessorLocalApic::new(cpu, cpu, EnabledStatus::Enabled));
    }
    madt.add_structure(IoApic::new(0, IO_APIC, 0));
    madt
}

fn dsdt(virtio: u8) -> Vec<u8> {
    let mut table = Sdt::new(*b"DSDT", TABLE_HEADER_SIZE, 2, OEM, OEM_TABLE, OEM_REVISION);
    let soft_off = Package::new(vec![&ports::SLEEP_TYPE_OFF, &ports::SLEEP_TYPE_OFF]);
    Name::new("_S5_".into(), &soft_off).to_aml_bytes(&mut table);
    let mut devices = serial();
    devices.extend(panic_port());
    (0..virtio).for_each(|index| devices.extend(virtio_device(index)));
    table.append_slice(&Scope::raw("_SB_".into(), devices));
    table.update_checksum();
    table.as_slice().to_vec()
}

fn serial() -> Vec<u8> {
    let ports = IO::new(ports::SERIAL, ports::SERIAL, 1, ports::SERIAL_SIZE);
    let interrupt = edge_interrupt(SERIAL_IRQ);
    let resources = ResourceTemplate::new(vec![&ports, &interrupt]);
    device("COM1", &EISAName::new("PNP0501"), 0, &resources)
}

fn panic_port() -> Vec<u8> {
    let port = IO::new(ports::PVPANIC, ports::PVPANIC, 1, 1);
    device("PVPN", &"QEMU0001", 0, &ResourceTemplate::new(vec![&port]))
}

fn virtio_device(index: u8) -> Vec<u8> {
    // All addresses are below 4 GiB, and there are at most 256 devices of one page.
    let base = u32::try_from(VIRTIO_BASE + u64::from(index) * VIRTIO_STRIDE).unwrap_or(u32::MAX);
    let size = u32::try_from(VIRTIO_STRIDE).unwrap_or(u32::MAX);
    let registers = Memory32Fixed::new(true, base, size);
    let interrupt = edge_interrupt(VIRTIO_IRQ + u32::from(index));
    let resources = ResourceTemplate::new(vec![&registers, &interrupt]);
    // "LNRO0005": drivers/virtio/virtio_mmio.c of Linux.
    device(&format!("VR{index:02X}"), &"LNRO0005", index, &resources)
}

fn edge_interrupt(line: u32) -> Interrupt {
    Interrupt::new(true, true, false, false, line)
}

fn device(name: &str, id: &dyn Aml, unique: u8, resources: &ResourceTemplate) -> Vec<u8> {
    bytes_of(&Device::new(
        Path::new(name),
        vec![
            &Name::new("_HID".into(), id),
            &Name::new("_UID".into(), &unique),
            // Its memory accesses are coherent with the caches of the processors.
            &Name::new("_CCA".into(), &acpi_tables::aml::ONE),
            &Name::new("_CRS".into(), resources),
        ],
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sum(bytes: &[u8]) -> u8 {
        bytes.iter().fold(0, |sum, byte| sum.wrapping_add(*byte))
    }

    fn u32_at(bytes: &[u8], at: usize) -> u32 {
        u32::from_le_bytes(bytes[at..at + 4].try_into().unwrap())
    }

    fn u64_at(bytes: &[u8], at: usize) -> u64 {
        u64::from_le_bytes(bytes[at..at + 8].try_into().unwrap())
    }

    /// The table at a guest-physical address.
    fn table(tables: &[u8], address: u64) -> &[u8] {
        let start = usize::try_from(address - ACPI_TABLES).unwrap();
        let length = u32_at(tables, start + 4) as usize;
        &tables[start..start + length]
    }

    #[test]
    fn every_table_is_reached_from_the_root_and_sums_to_zero() {
        let tables = tables(4, 3);
        assert_eq!(&tables[..8], b"RSD PTR ");
        assert_eq!(sum(&tables[..20]), 0);
        assert_eq!(sum(&tables[..36]), 0);
        let xsdt = table(&tables, u64_at(&tables, 24));
        let fadt = table(&tables, u64_at(xsdt, 36));
        let madt = table(&tables, u64_at(xsdt, 44));
        let dsdt = table(&tables, u64_at(fadt, 140));
        for (table, signature) in
            [(xsdt, b"XSDT"), (fadt, b"FACP"), (madt, b"APIC"), (dsdt, b"DSDT")]
        {
            assert_eq!(&table[..4], signature);
            assert_eq!(sum(table), 0, "{}", signature.escape_ascii());
        }
    }

    #[test]
    fn every_processor_is_in_the_madt() {
        let one = bytes_of(&madt(1)).len();
        assert_eq!(bytes_of(&madt(254)).len(), one + 253 * 8);
    }

    #[test]
    fn the_tables_of_the_largest_machine_end_below_one_megabyte() {
        let size = tables(254, 32).len() as u64;
        assert!(ACPI_TABLES + size < 0x10_0000, "{size:#x} bytes");
    }
}
