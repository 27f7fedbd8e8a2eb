// The open invoices of a record, once, for host and device: an issue is kept until the invoice is
// paid or cancelled, so that its payment knows how long it took. A record holds so many; where
// there is no room, the one that was issued longest ago gives way, and its payment is of unknown
// age. One thread writes at a time; no allocation, integers only.
#pragma once

#include <cstdint>

#include "kernels/base/host_device.hpp"
#include "kernels/window/window_body.hpp"

namespace tidemark {

TIDEMARK_HD inline OpenInvoice& open_invoice(const WindowPlanView& plan, unsigned char* record,
                                             std::uint32_t entry) {
  return field_at<OpenInvoice>(
      record, plan.open_invoices_offset + static_cast<std::uint32_t>(sizeof(OpenInvoice)) * entry);
}

/// Notes in `place` how long the invoice was open that the event pays, if that is known. Changes
/// nothing else, so that a whole team may ask.
TIDEMARK_HD inline void find_issue(const WindowPlanView& plan, unsigned char* record,
                                   const WindowEvent& event, EventPlace& place) {
  if (plan.open_invoices == 0 || event.type != EventType::paid || event.subject_hash == 0) return;
  for (std::uint32_t entry = 0; entry < plan.open_invoices; ++entry) {
    const OpenInvoice& invoice = open_invoice(plan, record, entry);
    if (invoice.id_hash != event.subject_hash) continue;
    place.days_to_pay = place.day > invoice.day ? place.day - invoice.day : 0;
    place.bits |= event_bit_issued;
    return;
  }
}

/// Of an invoice that is issued again the last day counts.
TIDEMARK_HD inline void keep_issue(const WindowPlanView& plan, unsigned char* record,
                                   const WindowEvent& event, const EventPlace& place,
                                   std::uint8_t* flags) {
  const std::uint32_t none = plan.open_invoices;
  std::uint32_t room = none, oldest = none, newest_order = 0;
  for (std::uint32_t entry = 0; entry < plan.open_invoices; ++entry) {
    OpenInvoice& invoice = open_invoice(plan, record, entry);
    if (invoice.id_hash == event.subject_hash) {
      invoice.day = place.day;
      return;
    }
    if (invoice.id_hash == 0) {
      if (room == none) room = entry;
      continue;
    }
    if (invoice.order > newest_order) newest_order = invoice.order;
    if (oldest == none || invoice.order < open_invoice(plan, record, oldest).order) oldest = entry;
  }
  if (room == none) {
    room = oldest;
    *flags |= record_forgot;
  }
  open_invoice(plan, record, room) = {event.subject_hash, place.day, newest_order + 1};
}

/// What the event does to the open invoices, once it has been counted.
TIDEMARK_HD inline void file_invoice(const WindowPlanView& plan, unsigned char* record,
                                     const WindowEvent& event, const EventPlace& place,
                                     std::uint8_t* flags) {
  if (plan.open_invoices == 0 || event.subject_hash == 0) return;
  if (event.type == EventType::issued) return keep_issue(plan, record, event, place, flags);
  if (event.type != EventType::paid && event.type != EventType::cancelled) return;
  for (std::uint32_t entry = 0; entry < plan.open_invoices; ++entry) {
    OpenInvoice& invoice = open_invoice(plan, record, entry);
    if (invoice.id_hash == event.subject_hash) invoice = {};
  }
}

}  // namespace tidemark
