"""The pages of the address book; each change is a form that asks for a code."""

from django.contrib import messages
from django.contrib.auth.mixins import LoginRequiredMixin
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views import View

from accounts import queries as people
from exchange.errors import DomainError
from exchange.pages import CustomerRequest, refuse
from ledger import queries, services
from ledger.forms import AddressForm, BookOnlyForm, CodeForm
from ledger.views.routes import chosen_route, route_context


class AddressPage(LoginRequiredMixin, View):
    """The book, and a new entry for the asset and network chosen by links."""

    def get(self, request: CustomerRequest) -> HttpResponse:
        return self.show(request, None)

    def post(self, request: CustomerRequest) -> HttpResponse:
        _asset, _networks, network = chosen_route(request)
        if network is None:
            return redirect("addresses")
        form = AddressForm(request.POST)
        if form.is_valid():
            try:
                services.save_address(
                    user=request.user, asset=network.asset_id, network=network.code, **form.cleaned_data
                )
            except DomainError as error:
                refuse(form, error)
            else:
                messages.success(request, _("The address is in your book."))
                return redirect("addresses")
        return self.show(request, form)

    def show(self, request: CustomerRequest, form: AddressForm | None) -> HttpResponse:
        terms = queries.terms(request.user)
        context = {
            **route_context(request, "withdraw_enabled"),
            "form": form or AddressForm(),
            "entries": queries.saved_addresses(request.user),
            "terms": terms,
            "is_book_only": queries.is_book_only(terms),
            "has_second_factor": people.has_second_factor(request.user),
        }
        return render(request, "ledger/addresses.html", context, status=400 if form else 200)


class RemovePage(LoginRequiredMixin, View):
    def get(self, request: CustomerRequest, address_id: int) -> HttpResponse:
        return self.show(request, address_id, CodeForm())

    def post(self, request: CustomerRequest, address_id: int) -> HttpResponse:
        form = CodeForm(request.POST)
        if form.is_valid():
            try:
                services.remove_address(user=request.user, address_id=address_id, **form.cleaned_data)
            except DomainError as error:
                refuse(form, error)
            else:
                messages.success(request, _("The address is removed from your book."))
                return redirect("addresses")
        return self.show(request, address_id, form)

    def show(self, request: CustomerRequest, address_id: int, form: CodeForm) -> HttpResponse:
        context = {"entry": queries.saved_address_of(request.user, address_id), "form": form}
        return render(request, "ledger/address_remove.html", context, status=400 if form.errors else 200)


class BookOnlyPage(LoginRequiredMixin, View):
    def get(self, request: CustomerRequest) -> HttpResponse:
        turn = "off" if queries.terms(request.user).is_book_only else "on"
        return self.show(request, BookOnlyForm(initial={"turn": turn}))

    def post(self, request: CustomerRequest) -> HttpResponse:
        form = BookOnlyForm(request.POST)
        if form.is_valid():
            said = form.cleaned_data
            try:
                services.set_book_only(user=request.user, is_on=said["turn"] == "on", code=said["code"])
            except DomainError as error:
                refuse(form, error)
            else:
                messages.success(request, _("Saved."))
                return redirect("addresses")
        return self.show(request, form)

    def show(self, request: CustomerRequest, form: BookOnlyForm) -> HttpResponse:
        context = {
            "form": form,
            "turns_on": form["turn"].value() != "off",
            "has_second_factor": people.has_second_factor(request.user),
        }
        return render(request, "ledger/book_only.html", context, status=400 if form.errors else 200)
