// SPDX-License-Identifier: MIT OR Apache-2.0
//! The window: shows the state, and gives orders.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use adw::prelude::*;
use gtk::{gio, glib};
use tokio::sync::mpsc::UnboundedSender;

use crate::bus::{self, Bus, Order};
use crate::state::{News, Page, Records, Snapshot, State};
use crate::{widgets, words};

/// A group whose rows are replaced when what they show changes.
struct List {
    group: adw::PreferencesGroup,
    rows: RefCell<Vec<gtk::Widget>>,
}

impl List {
    fn new(title: &str, description: &str) -> Self {
        Self { group: widgets::group(title, description), rows: RefCell::default() }
    }

    fn fill(&self, rows: Vec<gtk::Widget>) {
        for row in self.rows.take() {
            self.group.remove(&row);
        }
        for row in &rows {
            self.group.add(row);
        }
        self.rows.replace(rows);
    }
}

struct Window {
    orders: UnboundedSender<Order>,
    state: RefCell<State>,
    stack: gtk::Stack,
    absent: adw::StatusPage,
    toasts: adw::ToastOverlay,
    question: adw::PreferencesGroup,
    answer: adw::PreferencesGroup,
    row: adw::ActionRow,
    switch: gtk::Switch,
    /// Set while the switch follows the recorder, not the user.
    following: Cell<bool>,
    budget: List,
    tallies: List,
    reports: List,
}

/// Opens the window and connects it to the recorder.
pub fn open(application: &adw::Application, bus: Bus) {
    let (orders, mut news) = match bus::start(bus) {
        Ok(ends) => ends,
        Err(error) => {
            eprintln!("stipple-settings: no thread for the bus: {error}");
            return application.quit();
        }
    };
    let window = Rc::new(Window::new(orders));
    let frame = window.frame(application);
    window.connect(&frame);
    window.show();
    frame.present();
    glib::spawn_future_local(async move {
        while let Some(news) = news.recv().await {
            window.take(news);
        }
    });
}

impl Window {
    fn new(orders: UnboundedSender<Order>) -> Self {
        let (row, switch) = widgets::switch_row("_Share Metrics");
        Self {
            orders,
            state: RefCell::default(),
            stack: gtk::Stack::new(),
            absent: adw::StatusPage::builder().icon_name("action-unavailable-symbolic").build(),
            toasts: adw::ToastOverlay::new(),
            question: widgets::group("Share Metrics?", ""),
            answer: adw::PreferencesGroup::new(),
            row,
            switch,
            following: Cell::new(false),
            budget: List::new(
                "Privacy Budget",
                "The most that all reports of this half-year may reveal together, measured as ε. What is spent stays \
                 spent when metrics are switched off and on again.",
            ),
            tallies: List::new("Recorded This Week", "Kept on this computer, and never sent as it is"),
            reports: List::new("Reports", "Drawn once and sent exactly as shown; looking changes nothing"),
        }
    }

    /// Puts everything in its place.
    fn frame(&self, application: &adw::Application) -> adw::ApplicationWindow {
        let retry = gtk::Button::builder()
            .label("_Try Again")
            .use_underline(true)
            .halign(gtk::Align::Center)
            .action_name("win.refresh")
            .build();
        self.absent.set_child(Some(&retry));

        self.question.set_visible(false);
        self.answer.add(&self.row);
        let page = adw::PreferencesPage::new();
        page.add(&self.question);
        page.add(&self.answer);
        for list in [&self.budget, &self.reports, &self.tallies] {
            page.add(&list.group);
        }

        self.stack.add_named(&gtk::Box::builder().build(), Some("starting"));
        self.stack.add_named(&self.absent, Some("absent"));
        self.stack.add_named(&page, Some("present"));
        self.stack.set_vexpand(true);
        self.toasts.set_child(Some(&self.stack));

        let refresh: gtk::Button = widgets::accessible("label", "Refresh");
        refresh.set_icon_name("view-refresh-symbolic");
        refresh.set_tooltip_text(Some("Refresh"));
        refresh.set_action_name(Some("win.refresh"));
        let header = adw::HeaderBar::new();
        header.pack_start(&refresh);
        let content = gtk::Box::builder().orientation(gtk::Orientation::Vertical).build();
        content.append(&header);
        content.append(&self.toasts);
        adw::ApplicationWindow::builder()
            .application(application)
            .title("Metrics")
            .default_width(680)
            .default_height(760)
            .content(&content)
            .build()
    }

    fn connect(self: &Rc<Self>, frame: &adw::ApplicationWindow) {
        let answers = [("_Share metrics", true), ("_Do not share", false)].map(|(label, yes)| {
            let button = widgets::choice(label);
            let window = Rc::clone(self);
            button.connect_clicked(move |_| window.order(Order::Answer(yes)));
            button
        });
        self.question.add(&widgets::choices(&answers[0], &answers[1]));

        let window = Rc::clone(self);
        self.switch.connect_state_set(move |_, on| {
            if window.following.get() {
                return glib::Propagation::Proceed;
            }
            window.order(Order::Answer(on));
            // The switch's state follows when the recorder has taken the answer.
            glib::Propagation::Stop
        });

        let refresh = gio::SimpleAction::new("refresh", None);
        let window = Rc::clone(self);
        refresh.connect_activate(move |_, _| window.order(Order::Refresh));
        frame.add_action(&refresh);
        let window = Rc::clone(self);
        frame.connect_is_active_notify(move |frame| {
            if frame.is_active() {
                window.order(Order::Refresh);
            }
        });
    }

    fn order(&self, order: Order) {
        // The thread lives as long as the window.
        let _ = self.orders.send(order);
    }

    fn take(&self, news: News) {
        if let News::Present(snapshot) = &news
            && self.state.borrow().snapshot.as_ref() == Some(snapshot)
        {
            return;
        }
        let toast = self.state.borrow_mut().take(news);
        if let Some(text) = toast {
            let toast = adw::Toast::new("");
            toast.set_title(&glib::markup_escape_text(&text));
            self.toasts.add_toast(toast);
        }
        self.show();
    }

    fn show(&self) {
        let state = self.state.borrow();
        let page = state.page();
        self.stack.set_visible_child_name(match page {
            Page::Starting => "starting",
            Page::Absent => "absent",
            Page::Question | Page::Answer { .. } => "present",
        });
        if let Some((title, reason)) = &state.absence {
            self.absent.set_title(title);
            self.absent.set_description(Some(&glib::markup_escape_text(reason)));
        }
        let Some(snapshot) = &state.snapshot else { return };
        let asking = page == Page::Question;
        let answered = self.question.get_visible() && !asking;
        self.question.set_visible(asking);
        self.answer.set_visible(!asking);
        for list in [&self.budget, &self.tallies, &self.reports] {
            list.group.set_visible(!asking);
        }
        self.question.set_description(Some(&glib::markup_escape_text(&words::question(&snapshot.status))));
        let on = page == Page::Answer { on: true };
        self.row.set_subtitle(&words::answer(on, &snapshot.status));
        self.following.set(true);
        self.switch.set_active(on);
        self.switch.set_state(on);
        self.following.set(false);
        if answered {
            self.switch.grab_focus();
        }
        self.list(snapshot, on);
    }

    fn list(&self, snapshot: &Snapshot, on: bool) {
        let Records { tallies, reports, budget } = match &snapshot.records {
            Ok(records) => records,
            Err(reason) => {
                for list in [&self.budget, &self.tallies, &self.reports] {
                    list.fill(vec![widgets::placeholder(reason)]);
                }
                return;
            }
        };
        let or = |rows: Vec<gtk::Widget>, text: &str| {
            if rows.is_empty() { vec![widgets::placeholder(text)] } else { rows }
        };
        self.budget.fill(vec![widgets::budget(budget)]);
        let nothing = if on { "Nothing is recorded yet" } else { words::SWITCHED_OFF };
        self.tallies.fill(or(tallies.iter().map(widgets::tally).collect(), nothing));
        let mut reports: Vec<_> = reports.iter().collect();
        reports.sort_by_key(|report| words::urgency(report));
        let nothing = if on { "No report is due in this half-year" } else { "Nothing is sent while metrics are off" };
        self.reports.fill(or(reports.into_iter().map(|row| widgets::report(row, tallies)).collect(), nothing));
    }
}
