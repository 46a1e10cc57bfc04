// SPDX-License-Identifier: MIT OR Apache-2.0
//! The pieces that the window is made of, with what libadwaita 1.2 has. Text is never taken for markup.

use adw::prelude::*;
use gtk::glib;

use crate::state::{Budget, Report, Tally};
use crate::words;

/// A widget with an accessible `label` or `description`. The bindings set these from GTK 4.10 on, a builder always could.
pub fn accessible<W: glib::object::IsClass + IsA<glib::Object>>(property: &str, text: &str) -> W {
    let (class, text) = (W::static_type().name(), glib::markup_escape_text(text));
    let builder = gtk::Builder::from_string(&format!(
        "<interface><object class='{class}' id='it'><accessibility><property name='{property}'>{text}</property>\
         </accessibility></object></interface>"
    ));
    builder.object("it").unwrap_or_else(glib::Object::new)
}

/// A group with a heading and a sentence.
pub fn group(title: &str, description: &str) -> adw::PreferencesGroup {
    adw::PreferencesGroup::builder().title(title).description(description).build()
}

/// A line that says why there is nothing.
pub fn placeholder(text: &str) -> gtk::Widget {
    let label = gtk::Label::builder().label(text).wrap(true).margin_top(18).margin_bottom(18).build();
    label.add_css_class("dim-label");
    row(&label).upcast()
}

/// One of two equal answers.
pub fn choice(label: &str) -> gtk::Button {
    gtk::Button::builder().label(label).use_underline(true).height_request(44).hexpand(true).build()
}

/// Two equal answers side by side.
pub fn choices(first: &gtk::Button, second: &gtk::Button) -> gtk::Box {
    let both = gtk::Box::builder().spacing(12).homogeneous(true).build();
    both.append(first);
    both.append(second);
    both
}

/// A switch in a row that carries its name. (`AdwSwitchRow` came with 1.4.)
pub fn switch_row(title: &str) -> (adw::ActionRow, gtk::Switch) {
    let switch: gtk::Switch = accessible("label", &title.replace('_', ""));
    switch.set_valign(gtk::Align::Center);
    let row = adw::ActionRow::builder().title(title).subtitle_lines(0).use_underline(true).use_markup(false).build();
    row.add_suffix(&switch);
    row.set_activatable_widget(Some(&switch));
    (row, switch)
}

/// A metric and its value of this week.
pub fn tally(tally: &Tally) -> gtk::Widget {
    let text = words::tally(tally);
    let row: adw::ActionRow = accessible("description", text);
    row.set_use_markup(false);
    row.set_title(&tally.title);
    let value = gtk::Label::builder().label(text).wrap(true).max_width_chars(36).build();
    value.set_natural_wrap_mode(gtk::NaturalWrapMode::None);
    value.set_justify(gtk::Justification::Right);
    value.set_xalign(1.0);
    row.add_suffix(&value);
    row.upcast()
}

/// A report that unfolds to its true value beside its bytes. Nothing that is about to leave is folded away.
pub fn report(report: &Report, tallies: &[Tally]) -> gtk::Widget {
    let row = adw::ExpanderRow::builder()
        .title(words::title(&report.metric, tallies))
        .subtitle(words::report(report))
        .use_markup(false)
        .expanded(report.outcome == "waiting")
        .build();
    let (heading, truth) = words::truth(report);
    let bytes = value(&words::bytes(report));
    if !report.bytes.is_empty() {
        bytes.add_css_class("monospace");
    }
    let beside = gtk::Box::builder().spacing(24).build();
    beside.append(&captioned(heading, &value(truth), true));
    beside.append(&captioned("Exact bytes", &bytes, false));
    row.add_row(&padded(&beside));
    row.upcast()
}

/// What is spent, as a meter and in words.
pub fn budget(budget: &Budget) -> gtk::Widget {
    let Some((spent, weeks)) = words::budget(budget) else {
        return placeholder("No budget is drawn before metrics are switched on");
    };
    let meter: gtk::LevelBar = accessible("label", &format!("Privacy budget: {spent}"));
    meter.set_value(words::fraction(budget));
    // A spent budget is neither good nor bad: the meter keeps one colour.
    for name in ["low", "high", "full"] {
        meter.remove_offset_value(Some(name));
    }
    let weeks = gtk::Label::builder().label(&weeks).xalign(0.0).build();
    weeks.add_css_class("dim-label");
    weeks.add_css_class("caption");
    let column = gtk::Box::builder().orientation(gtk::Orientation::Vertical).spacing(8).build();
    column.append(&gtk::Label::builder().label(&spent).xalign(0.0).build());
    column.append(&meter);
    column.append(&weeks);
    padded(&column).upcast()
}

fn row(child: &impl IsA<gtk::Widget>) -> adw::PreferencesRow {
    adw::PreferencesRow::builder().child(child).activatable(false).build()
}

/// A row with room around its content.
fn padded(child: &gtk::Box) -> adw::PreferencesRow {
    for side in ["margin-top", "margin-bottom", "margin-start", "margin-end"] {
        child.set_property(side, 12);
    }
    row(child)
}

fn value(text: &str) -> gtk::Label {
    gtk::Label::builder().label(text).wrap(true).selectable(true).xalign(0.0).max_width_chars(36).build()
}

fn captioned(caption: &str, value: &gtk::Label, expand: bool) -> gtk::Box {
    let label = gtk::Label::builder().label(caption).xalign(0.0).build();
    label.add_css_class("dim-label");
    label.add_css_class("caption");
    let column = gtk::Box::builder().orientation(gtk::Orientation::Vertical).spacing(6).hexpand(expand).build();
    column.append(&label);
    column.append(value);
    column
}
